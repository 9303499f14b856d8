import { StoreUnavailable, channelTopic } from '../../store/store.ts'
import { Batch } from '../delivery/batch.ts'
import { Guest } from '../delivery/guest.ts'
import { clientPublication } from '../messages.ts'
import type { Cancel, Clock } from '../../lib/clock.ts'
import type { CloseReason } from '../../protocol/close-codes.ts'
import type { ChannelName, UserName } from '../../protocol/ids.ts'
import type { Awaitable, Store } from '../../store/store.ts'
import type { Sink } from '../delivery/connection.ts'
import type { Outbox } from '../delivery/outbox.ts'
import type { Registry } from '../delivery/registry.ts'
import type { ClientMessage } from '../messages.ts'

const ASK_AGAIN_MS = 500

interface GuestsDeps {
  readonly store: Pick<Store, 'ensure' | 'missed' | 'publish'>
  readonly clock: Clock
  readonly registry: Registry
  readonly outbox: Outbox
  readonly inBackground: (work: Awaitable<unknown>) => void
}

/**
 * Those who listen to channels without being in them: no user is made, nobody is told that they came, and nothing is
 * kept for their return. They get what is announced while they are here, by the same outbox as everybody else; a
 * private message only in a channel that they listen to, under the name they were given.
 */
export class Guests {
  #cancel: Cancel | undefined

  constructor(
    private readonly deps: GuestsDeps,
    /** Channels that are kept are kept anew so often; has to be less than idle channels last. */
    private readonly keepIntervalMs: number,
  ) {}

  start(): void {
    this.#cancel ??= this.deps.clock.every(this.keepIntervalMs, () => this.#keepAll())
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  get size(): number {
    return this.deps.registry.guests.size
  }

  /** Throws if somebody of that name is here. */
  open(name: UserName, sink: Sink): Guest {
    const { guests } = this.deps.registry
    if (guests.has(name)) throw new Error(`a guest named ${name} is here already`)
    const guest = new Guest(name, sink)
    guests.set(name, guest)
    return guest
  }

  /**
   * Resolves once everything comes that is announced in these channels after the event with the number `after`; left out, the
   * newest one there is. Unknown channels are not made. While the store is away it waits.
   */
  async listen(guest: Guest, channels: readonly ChannelName[], after?: number): Promise<void> {
    // After a time in which the store was away, what was announced meanwhile comes as well: older events are not for it.
    const newest = after ?? (await this.#newest(guest))
    if (!this.#isHere(guest)) return
    const { registry } = this.deps
    await Promise.all(
      channels.map(async (name) => registry.subscribe(guest, channelTopic(name), newest)),
    )
  }

  /** What was said in them before still comes, before this returns. */
  unlisten(guest: Guest, channels: readonly ChannelName[]): void {
    this.deps.outbox.flush(guest)
    for (const name of channels) this.deps.registry.unsubscribe(guest, channelTopic(name))
  }

  /**
   * Makes the channels that are not known, and sees to it that they are not forgotten as long as the guest is here. Resolves
   * with the number of the newest event; undefined if all of them are kept already.
   */
  keep(guest: Guest, channels: readonly ChannelName[]): Awaitable<number | undefined> {
    const added = channels.filter((name) => !guest.keptChannels.has(name))
    if (added.length === 0) return undefined
    const made = this.deps.store.ensure(added)
    const noteKept = (newest: number): number => {
      added.forEach((name) => guest.keptChannels.add(name))
      return newest
    }
    return made instanceof Promise ? made.then(noteKept) : noteKept(made)
  }

  /**
   * The guest says something, in a channel that is made and kept for it if need be: everybody there gets it but the
   * guest. Resolves once the store has it, at once where the store answers at once. A guest that has gone is still heard:
   * what a client wrote before it left counts.
   */
  say(guest: Guest, said: Omit<ClientMessage, 'user'>): Awaitable<void> {
    const { store, clock } = this.deps
    const publish = (): Awaitable<void> =>
      store.publish([clientPublication(clock, { ...said, user: guest.user })])
    if (guest.keptChannels.has(said.channel)) return publish()
    const kept = this.keep(guest, [said.channel])
    return kept instanceof Promise ? kept.then(publish) : publish()
  }

  /** The network has taken what the guest's sink was given. */
  drained(guest: Guest): void {
    this.deps.outbox.flush(guest)
  }

  /** The guest has gone, or is to go: what waits for it is written first. Harmless if it was gone already. */
  close(guest: Guest): void {
    const { registry } = this.deps
    if (!this.#isHere(guest)) return
    this.deps.outbox.flush(guest)
    registry.guests.delete(guest.user)
    registry.close(guest)
    guest.sink = undefined
    guest.pending = Batch.empty
  }

  /** The server sends the guest away. */
  expel(guest: Guest, reason: CloseReason): void {
    const { sink } = guest
    this.close(guest)
    sink?.close(reason)
  }

  closeAll(reason: CloseReason): void {
    for (const guest of [...this.deps.registry.guests.values()]) this.expel(guest, reason)
  }

  #isHere(guest: Guest): boolean {
    return this.deps.registry.guests.get(guest.user) === guest
  }

  /** The number of the newest event. Asks again while the store is away, as long as the guest is here. */
  async #newest(guest: Guest): Promise<number> {
    const { store, clock } = this.deps
    for (;;)
      try {
        return (await store.missed([])).head
      } catch (error) {
        if (!(error instanceof StoreUnavailable) || !this.#isHere(guest)) throw error
        await new Promise<void>((resolve) => void clock.after(ASK_AGAIN_MS, resolve))
      }
  }

  #keepAll(): void {
    const kept = new Set<ChannelName>()
    for (const guest of this.deps.registry.guests.values())
      for (const name of guest.keptChannels) kept.add(name)
    if (kept.size > 0) this.deps.inBackground(this.deps.store.ensure([...kept]))
  }
}
