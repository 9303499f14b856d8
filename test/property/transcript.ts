/** What has to hold for whatever a connection is told, without knowing what happened: rules, no model. */
import { expect } from 'vitest'
import { Event } from '../../src/protocol/events.ts'
import { PRIVATE_MARK } from './operations.ts'

const DELIVERY_DETAILS = ['pm_users', 'exclude_users', 'no_history']

/** All that the sinks of one connection were given, in order. */
export class Transcript {
  #newest = 0
  /** What was told last of each user in each channel. */
  readonly #told = new Map<string, string>()
  #isPatchy = false

  constructor(
    private readonly user: string,
    private readonly server: { readonly epoch: string },
  ) {}

  /** What came after `n` did not arrive, or the client wants it again. */
  goBack(n: number): void {
    this.#newest = Math.min(this.#newest, n)
    this.#told.clear()
  }

  /** A sink opens. `isPatchy`: what was missed may have holes, so that nobody can tell from it who is there. */
  open(isPatchy: boolean): void {
    this.#isPatchy = isPatchy
    if (isPatchy) this.#told.clear()
  }

  /** What was told of a channel does not say any more who is there. */
  forgetPresence(channel: string): void {
    for (const key of this.#told.keys()) if (key.startsWith(`${channel} `)) this.#told.delete(key)
  }

  /** `before`: what came on the same sink before. */
  see(event: Event, before: Event | undefined): void {
    this.#checkForm(event)
    this.#checkPlace(event, before)
    if (event.type === 'gap') return this.#told.clear()
    if (event.type === 'presence') this.#checkPresence(event)
    if (event.type === 'message') checkAddressee(event.message, this.user)
  }

  /** Names of users in a channel that were told last to have joined, or to have parted. */
  lastTold(channel: string, action: 'joined' | 'parted'): string[] {
    const told = [...this.#told].filter(
      ([key, last]) => key.startsWith(`${channel} `) && last === action,
    )
    return told.map(([key]) => key.slice(channel.length + 1))
  }

  #checkForm(event: Event): void {
    Event.parse(event)
    const details = Object.keys(event).filter((key) => DELIVERY_DETAILS.includes(key))
    expect(details, 'delivery details in an event').toEqual([])
    expect(JSON.stringify(event), 'private state').not.toContain(PRIVATE_MARK)
    if ('date' in event) expect(event.date).toBe(event.timestamp)
  }

  #checkPlace(event: Event, before: Event | undefined): void {
    const [epoch, n] = [event.id.split('-')[0], numberOf(event)]
    expect(epoch, 'epoch').toBe(this.server.epoch)
    if (before) expect(n, 'ids grow').toBeGreaterThan(numberOf(before))
    if (event.type === 'gap') {
      expect(before, 'a gap comes first').toBeUndefined()
      return
    }
    if (event.catchup) expect(before?.catchup ?? true, 'catch-up after live').toBe(true)
    expect(n, 'an event comes once').toBeGreaterThan(this.#newest)
    this.#newest = n
  }

  #checkPresence(event: Event & { type: 'presence' }): void {
    const { channel, user, message, catchup } = event
    const { action } = message
    expect(user, 'told of oneself').not.toBe(this.user)
    if (catchup && this.#isPatchy) return
    const key = `${channel} ${user}`
    expect(this.#told.get(key), `${user} told twice in ${channel}`).not.toBe(action)
    this.#told.set(key, action)
  }
}

export const numberOf = ({ id }: { readonly id: string }): number => Number(id.split('-')[1])

/** Messages of these tests say in their payload who may have them (unless they were edited). */
export function checkAddressee(payload: unknown, user: string): void {
  const { to = [], not = [] } = (payload ?? {}) as { to?: string[]; not?: string[] }
  expect(not, 'excluded').not.toContain(user)
  if (to.length > 0) expect(to, 'for others').toContain(user)
}
