import { describe, expect, it } from 'vitest'
import { CONTRACT_OPTIONS } from './bench.ts'
import {
  allChannels,
  attach,
  channelNames,
  connIdOf,
  connect,
  message,
  settingsMap,
  userName,
  whisper,
} from './fixtures.ts'
import type { Bench, OpenBench } from './bench.ts'

/** The maximum delay of a deadline. */
const LATE_MS = 300
const WAIT_MS = 15_000
const NO_SETTINGS = settingsMap({})

async function hasRoom({ store }: Bench): Promise<boolean> {
  return (await store.channels(channelNames('room'), { users: false, history: false })).length > 0
}

const hasAnn = ({ store }: Bench) => store.hasUser(userName('ann'))

/** Advances the clock and sweeps. Returns the connections that are due. */
async function dueAfter({ store, clock }: Bench, ms: number): Promise<readonly string[]> {
  await clock.advance(ms)
  return store.sweep()
}

/** Expects `check` to hold until `ms` milliseconds from now, and to fail soon after. */
async function lasts(bench: Bench, ms: number, check: (bench: Bench) => unknown): Promise<void> {
  await dueAfter(bench, ms - 1)
  expect(await check(bench)).toBe(true)
  await dueAfter(bench, 1 + LATE_MS)
  expect(await check(bench)).toBe(false)
}

/** How long the store waits before it returns a due connection again that was not dropped. */
const AGAIN_MS = 10_000

export function sweeping(openBench: OpenBench): void {
  describe('connections are due', () => {
    it('when no client came in time, not before and hardly after', async () => {
      const bench = await openBench()
      await connect(bench.store, 'ann', { waitMs: WAIT_MS })
      expect(await dueAfter(bench, WAIT_MS - 1)).toEqual([])
      expect(await dueAfter(bench, 1 + LATE_MS)).toEqual([connIdOf(1)])
    })

    it('each at its own time', async () => {
      const bench = await openBench()
      await connect(bench.store, 'ann', { id: 1, waitMs: 1000 })
      await connect(bench.store, 'ann', { id: 2, waitMs: 10_000 })
      await connect(bench.store, 'bob', { id: 3, waitMs: 1000 })
      expect([...(await dueAfter(bench, 1000 + LATE_MS))].sort()).toEqual([
        connIdOf(1),
        connIdOf(3),
      ])
      await bench.store.drop(connIdOf(1))
      await bench.store.drop(connIdOf(3))
      expect(await dueAfter(bench, 9000)).toEqual([connIdOf(2)])
    })

    it('not while a client has them open', async () => {
      const bench = await openBench()
      await connect(bench.store, 'ann', { waitMs: WAIT_MS })
      await attach(bench.store, connIdOf(1))
      expect(await dueAfter(bench, 10 * WAIT_MS)).toEqual([])
      await connect(bench.store, 'ann', { channels: ['room'], waitMs: WAIT_MS })
      expect(await dueAfter(bench, 10 * WAIT_MS)).toEqual([])
    })

    it('when a client that has gone does not come back', async () => {
      const bench = await openBench()
      await connect(bench.store, 'ann', { waitMs: WAIT_MS })
      await attach(bench.store, connIdOf(1))
      await bench.clock.advance(60_000)
      await bench.store.detach(connIdOf(1), 0, 5000)
      expect(await dueAfter(bench, 4999)).toEqual([])
      expect(await dueAfter(bench, 1 + LATE_MS)).toEqual([connIdOf(1)])
    })

    it('not if the client came back, however late the first time was', async () => {
      const bench = await openBench()
      await connect(bench.store, 'ann', { waitMs: WAIT_MS })
      await attach(bench.store, connIdOf(1))
      await bench.store.detach(connIdOf(1), 0, 5000)
      await bench.clock.advance(4000)
      await attach(bench.store, connIdOf(1))
      expect(await dueAfter(bench, 60_000)).toEqual([])
    })

    it('later, if they were connected again before a client came', async () => {
      const bench = await openBench()
      await connect(bench.store, 'ann', { waitMs: WAIT_MS })
      await bench.clock.advance(10_000)
      await connect(bench.store, 'ann', { waitMs: WAIT_MS })
      expect(await dueAfter(bench, WAIT_MS - 1)).toEqual([])
      expect(await dueAfter(bench, 1 + LATE_MS)).toEqual([connIdOf(1)])
    })

    it('until they are dropped, and are as they were till then', async () => {
      const bench = await openBench()
      const { store } = bench
      await connect(store, 'ann', { channels: ['room'], waitMs: WAIT_MS })
      await dueAfter(bench, WAIT_MS + LATE_MS)
      expect(await store.hasConnection(connIdOf(1))).toBe(true)
      expect(await dueAfter(bench, AGAIN_MS)).toEqual([connIdOf(1)])
      expect(await store.drop(connIdOf(1))).toBe(true)
      expect(await dueAfter(bench, AGAIN_MS)).toEqual([])
    })

    it('no more, if a client comes after all', async () => {
      const bench = await openBench()
      await connect(bench.store, 'ann', { waitMs: WAIT_MS })
      await dueAfter(bench, WAIT_MS + LATE_MS)
      await attach(bench.store, connIdOf(1))
      expect(await dueAfter(bench, 60_000)).toEqual([])
    })

    it('never after they were dropped', async () => {
      const bench = await openBench()
      await connect(bench.store, 'ann', { waitMs: WAIT_MS })
      await bench.store.drop(connIdOf(1))
      expect(await dueAfter(bench, 2 * WAIT_MS)).toEqual([])
    })
  })

  describe('users are forgotten', () => {
    const { gcUsersMs } = CONTRACT_OPTIONS

    it('when they were without a connection for long enough', async () => {
      const bench = await openBench()
      await connect(bench.store, 'ann', { id: 1 })
      await connect(bench.store, 'ann', { id: 2 })
      await bench.store.drop(connIdOf(1))
      await bench.clock.advance(2 * gcUsersMs)
      await bench.store.drop(connIdOf(2))
      await lasts(bench, gcUsersMs, hasAnn)
    })

    it('not while they have a connection', async () => {
      const bench = await openBench()
      await connect(bench.store, 'ann', { id: 1 })
      await bench.store.drop(connIdOf(1))
      await bench.clock.advance(gcUsersMs / 2)
      await connect(bench.store, 'ann', { id: 2 })
      await dueAfter(bench, 3 * gcUsersMs)
      expect(await hasAnn(bench)).toBe(true)
    })

    it('later, if their state is set or a private message comes for them', async () => {
      const bench = await openBench()
      await connect(bench.store, 'ann')
      await bench.store.drop(connIdOf(1))
      await dueAfter(bench, gcUsersMs / 2)
      await bench.store.setUserState(userName('ann'), { a: 1 }, undefined)
      await dueAfter(bench, gcUsersMs - 1000)
      await bench.store.publish([whisper(['ann'])])
      await lasts(bench, gcUsersMs, hasAnn)
    })

    it('whole: who comes again is new', async () => {
      const bench = await openBench()
      const { user } = await connect(bench.store, 'ann', { state: { a: 1 }, publicKeys: ['a'] })
      await bench.store.drop(connIdOf(1))
      await dueAfter(bench, gcUsersMs + LATE_MS)
      expect(await bench.store.users([userName('ann')])).toEqual([])
      const again = await connect(bench.store, 'ann', { freshState: { b: 2 } })
      expect(again.user).toMatchObject({ state: { b: 2 }, publicKeys: [] })
      expect(again.user.uuid).not.toBe(user.uuid)
    })
  })

  describe('channels are forgotten', () => {
    const { gcChannelsMs } = CONTRACT_OPTIONS

    it('when nobody was in them and nothing happened for long enough', async () => {
      const bench = await openBench()
      await connect(bench.store, 'ann', { channels: ['room'] })
      await bench.clock.advance(2 * gcChannelsMs)
      await bench.store.leave(connIdOf(1), channelNames('room'))
      await lasts(bench, gcChannelsMs, hasRoom)
    })

    it('also if nobody ever was in them', async () => {
      const bench = await openBench()
      await bench.store.configure(settingsMap({ room: {} }))
      await lasts(bench, gcChannelsMs, hasRoom)
    })

    it('not while somebody is in them, however silent', async () => {
      const bench = await openBench()
      await bench.store.configure(settingsMap({ room: {} }))
      await bench.clock.advance(gcChannelsMs / 2)
      await connect(bench.store, 'ann', { channels: ['room'] })
      await attach(bench.store, connIdOf(1))
      await dueAfter(bench, 3 * gcChannelsMs)
      expect(await hasRoom(bench)).toBe(true)
    })

    it('later, if they are configured or a message comes', async () => {
      const bench = await openBench()
      await bench.store.configure(settingsMap({ room: {} }))
      await dueAfter(bench, gcChannelsMs - 1000)
      await bench.store.configure(settingsMap({ room: { history_size: 1 } }))
      await dueAfter(bench, gcChannelsMs - 1000)
      await bench.store.publish([message('room')])
      await lasts(bench, gcChannelsMs, hasRoom)
    })

    it('not while they are ensured again and again', async () => {
      const bench = await openBench()
      await bench.store.ensure(channelNames('room'))
      await dueAfter(bench, gcChannelsMs - 1000)
      await bench.store.ensure(channelNames('room'))
      await lasts(bench, gcChannelsMs, hasRoom)
    })

    it('whole: history, settings and uuid are new the next time', async () => {
      const bench = await openBench()
      const { store } = bench
      await store.configure(settingsMap({ room: { store_history: true, history_size: 3 } }))
      await store.publish([message('room')])
      const all = { users: true, history: true }
      const [before] = await allChannels(store, all)
      await dueAfter(bench, gcChannelsMs + LATE_MS)
      expect(await allChannels(store, all)).toEqual([])
      await connect(store, 'ann')
      await store.join(connIdOf(1), channelNames('room'), NO_SETTINGS)
      const [after] = await allChannels(store, all)
      expect(after).toMatchObject({ history: [], settings: { history_size: 10 } })
      expect(after?.uuid).not.toBe(before?.uuid)
    })
  })
}
