/** The guarantees of every `AdminSessionStore`. */
import { describe, expect, it } from 'vitest'
import { ManualClock } from '../helpers/clock.ts'
import type { AdminSessionLimits, AdminSessionStore } from '../../src/store/admin-sessions.ts'
import type { Awaitable } from '../../src/store/store.ts'

/** Creates an empty store of sessions. */
export type OpenAdminSessions = (
  clock: ManualClock,
  limits: AdminSessionLimits,
) => Awaitable<AdminSessionStore>

const ROOMY = { lifetimeMs: 10_000, maxSessions: 100 }

export function adminSessionsContract(name: string, openWith: OpenAdminSessions): void {
  const open = async (limits: Partial<AdminSessionLimits> = {}) => {
    const clock = new ManualClock()
    return { clock, sessions: await openWith(clock, { ...ROOMY, ...limits }) }
  }
  const openOf = async (sessions: AdminSessionStore, ...names: string[]) => {
    const found: string[] = []
    for (const each of names) if (await sessions.isAnyOpen([each])) found.push(each)
    return found
  }

  describe(`sessions of the admin pages: ${name}`, () => {
    it('knows a session that was opened, and no other', async () => {
      const { sessions } = await open()
      await sessions.open('a')
      expect(await openOf(sessions, 'a', 'b', '', '__proto__', 'constructor')).toEqual(['a'])
    })

    it('finds one that is open among others', async () => {
      const { sessions } = await open()
      await sessions.open('a')
      expect(await sessions.isAnyOpen(['x', 'a', 'y'])).toBe(true)
      expect(await sessions.isAnyOpen(['x', 'y'])).toBe(false)
      expect(await sessions.isAnyOpen([])).toBe(false)
    })

    it('never again takes for open what has ended, and leaves others alone', async () => {
      const { sessions } = await open()
      for (const each of ['a', 'b', 'c']) await sessions.open(each)
      await sessions.end(['a', 'c', 'unknown'])
      await sessions.end([])
      await sessions.end(['a'])
      expect(await openOf(sessions, 'a', 'b', 'c', 'unknown')).toEqual(['b'])
    })

    it('lets a session end by itself after its lifetime', async () => {
      const { clock, sessions } = await open()
      await sessions.open('a')
      await clock.advance(ROOMY.lifetimeMs - 1)
      await sessions.open('b')
      expect(await openOf(sessions, 'a', 'b')).toEqual(['a', 'b'])
      await clock.advance(1)
      expect(await openOf(sessions, 'a', 'b')).toEqual(['b'])
    })

    it('ends the oldest when there are too many', async () => {
      const { clock, sessions } = await open({ maxSessions: 3 })
      const names = ['a', 'b', 'c', 'd', 'e']
      for (const each of names) {
        await sessions.open(each)
        await clock.advance(1)
      }
      expect(await openOf(sessions, ...names)).toEqual(['c', 'd', 'e'])
    })

    it('does not count those that have ended', async () => {
      const { clock, sessions } = await open({ maxSessions: 2 })
      await sessions.open('a')
      await clock.advance(ROOMY.lifetimeMs / 2)
      for (const each of ['b', 'c']) {
        await sessions.open(each)
        if (each === 'b') await sessions.end(['b'])
      }
      expect(await openOf(sessions, 'a', 'b', 'c')).toEqual(['a', 'c'])
    })
  })
}
