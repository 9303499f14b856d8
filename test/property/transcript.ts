/** Rules for the events of a connection that hold whatever happened. They need no model. */
import { expect } from 'vitest'
import { Event } from '../../src/protocol/events.ts'
import { PRIVATE_MARK } from './operations.ts'

const DELIVERY_DETAILS = ['pm_users', 'exclude_users', 'no_history']

/** All events of the sinks of one connection, in order. */
export class Transcript {
  #newest = 0
  /** The last presence event of each user in each channel. */
  readonly #told = new Map<string, string>()
  #isPatchy = false

  constructor(
    private readonly user: string,
    private readonly server: { readonly epoch: string },
    /** Presence events up to this number do not show who is in the channel. */
    private readonly configuredAt: ReadonlyMap<string, number>,
  ) {}

  /** Events after `n` did not arrive, or the client requests them again. */
  goBack(n: number): void {
    this.#newest = Math.min(this.#newest, n)
    this.#told.clear()
  }

  /** A sink opens. `isPatchy`: missed events may be lost, so they do not show who is in a channel. */
  open(isPatchy: boolean): void {
    this.#isPatchy = isPatchy
    if (isPatchy) this.#told.clear()
  }

  /** Earlier events no longer show who is in the channel. */
  forgetPresence(channel: string): void {
    for (const key of this.#told.keys()) if (key.startsWith(`${channel} `)) this.#told.delete(key)
  }

  /** `before`: the event before it on the same sink. */
  see(event: Event, before: Event | undefined): void {
    this.#checkForm(event)
    this.#checkPlace(event, before)
    if (event.type === 'gap') return this.#told.clear()
    if (event.type === 'presence') this.#checkPresence(event)
    if (event.type === 'message') checkAddressee(event.message, this.user)
  }

  /** Returns the users whose last presence event in the channel has this action. */
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
    if (numberOf(event) <= (this.configuredAt.get(channel) ?? 0)) return
    const key = `${channel} ${user}`
    expect(this.#told.get(key), `${user} told twice in ${channel}`).not.toBe(action)
    this.#told.set(key, action)
  }
}

export const numberOf = ({ id }: { readonly id: string }): number => Number(id.split('-')[1])

/** Messages of these tests contain their audience in the payload, unless they were edited. */
export function checkAddressee(payload: unknown, user: string): void {
  const { to = [], not = [] } = (payload ?? {}) as { to?: string[]; not?: string[] }
  expect(not, 'excluded').not.toContain(user)
  if (to.length > 0) expect(to, 'for others').toContain(user)
}
