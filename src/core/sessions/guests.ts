import { StoreUnavailable, channelTopic } from '../../store/store.ts'
import { Batch } from '../delivery/batch.ts'
import { Guest } from '../delivery/guest.ts'
import { clientPublication } from '../messages.ts'
import type { Cancel, Clock } from '../../lib/clock.ts'
import type { CloseReason } from '../../protocol/close-codes.ts'
import type { ChannelName, UserName } from '../../protocol/ids.ts'
import type { Awaitable, Store } from '../../store/store.ts'
import type { ChannelRules } from '../channel-rules.ts'
import type { Sink } from '../delivery/connection.ts'
import type { Outbox } from '../delivery/outbox.ts'
import type { Registry } from '../delivery/registry.ts'
import type { ClientMessage } from '../messages.ts'

const RETRY_MS = 500

interface GuestsDeps {
  readonly store: Pick<Store, 'ensure' | 'missed' | 'publish'>
  readonly clock: Clock
  readonly rules: ChannelRules
  readonly registry: Registry
  readonly outbox: Outbox
  readonly inBackground: (work: Awaitable<unknown>) => void
}

/**
 * Guests listen to channels without being members: they have no user and no presence, and nothing is kept for a
 * reconnect. They get live events by the same outbox as connections. A private message reaches a guest only in a
 * channel that it listens to, under the name it was given.
 */
export class Guests {
  #cancel: Cancel | undefined

  constructor(
    private readonly deps: GuestsDeps,
    /** How often kept channels are refreshed. Must be less than the time after which idle channels are forgotten. */
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

  /** Whether there may be a channel with this name. Guests must not listen to others, or write to them. */
  mayBe(channel: string): boolean {
    return this.deps.rules.isListed(channel)
  }

  /** Throws if a guest with this name is open. */
  open(name: UserName, sink: Sink): Guest {
    const { guests } = this.deps.registry
    if (guests.has(name)) throw new Error(`guest ${name} is already open`)
    const guest = new Guest(name, sink)
    guests.set(name, guest)
    return guest
  }

  /**
   * Subscribes to the channels. Resolves when all events after number `after` (default: the newest event) reach the
   * guest. Does not create unknown channels. Waits while the store is unavailable.
   */
  async listen(guest: Guest, channels: readonly ChannelName[], after?: number): Promise<void> {
    // When the store comes back, it announces the events published meanwhile. The guest must not get older ones.
    const newest = after ?? (await this.#newest(guest))
    if (!this.#isOpen(guest)) return
    const { registry } = this.deps
    await Promise.all(
      channels.map(async (name) => registry.subscribe(guest, channelTopic(name), newest)),
    )
  }

  /** Flushes first: events announced before are still sent. */
  unlisten(guest: Guest, channels: readonly ChannelName[]): void {
    this.deps.outbox.flush(guest)
    for (const name of channels) this.deps.registry.unsubscribe(guest, channelTopic(name))
  }

  /**
   * Creates unknown channels, and keeps the channels from being forgotten while the guest is open. Resolves with the
   * number of the newest event, or undefined if all of them are kept already.
   */
  keep(guest: Guest, channels: readonly ChannelName[]): Awaitable<number | undefined> {
    const added = channels.filter((name) => !guest.keptChannels.has(name))
    if (added.length === 0) return undefined
    const made = this.deps.store.ensure(added, this.deps.rules.settingsFor(added))
    const noteKept = (newest: number): number => {
      added.forEach((name) => guest.keptChannels.add(name))
      return newest
    }
    return made instanceof Promise ? made.then(noteKept) : noteKept(made)
  }

  /**
   * Publishes a message of the guest to everybody else in the channel. Creates and keeps the channel if necessary.
   * Resolves when the store has the message; synchronous if the store is. Also works for a closed guest, because what a
   * client sent before it disconnected counts.
   */
  say(guest: Guest, message: Omit<ClientMessage, 'user'>): Awaitable<void> {
    const { store, clock } = this.deps
    const publish = (): Awaitable<void> =>
      store.publish([clientPublication(clock, { ...message, user: guest.user })])
    if (guest.keptChannels.has(message.channel)) return publish()
    const kept = this.keep(guest, [message.channel])
    return kept instanceof Promise ? kept.then(publish) : publish()
  }

  /** The transport calls this when the network has taken what the guest's sink was given. */
  drained(guest: Guest): void {
    this.deps.outbox.flush(guest)
  }

  /** Closes the guest after a last flush. Does nothing if it is closed already. */
  close(guest: Guest): void {
    const { registry } = this.deps
    if (!this.#isOpen(guest)) return
    this.deps.outbox.flush(guest)
    registry.guests.delete(guest.user)
    registry.close(guest)
    guest.sink = undefined
    guest.pending = Batch.empty
  }

  /** Closes the guest and its sink from the server's side. */
  expel(guest: Guest, reason: CloseReason): void {
    const { sink } = guest
    this.close(guest)
    sink?.close(reason)
  }

  closeAll(reason: CloseReason): void {
    for (const guest of [...this.deps.registry.guests.values()]) this.expel(guest, reason)
  }

  #isOpen(guest: Guest): boolean {
    return this.deps.registry.guests.get(guest.user) === guest
  }

  /** Returns the number of the newest event. Retries while the store is unavailable and the guest is open. */
  async #newest(guest: Guest): Promise<number> {
    const { store, clock } = this.deps
    for (;;)
      try {
        return (await store.missed([])).head
      } catch (error) {
        if (!(error instanceof StoreUnavailable) || !this.#isOpen(guest)) throw error
        await new Promise<void>((resolve) => void clock.after(RETRY_MS, resolve))
      }
  }

  #keepAll(): void {
    const kept = new Set<ChannelName>()
    for (const guest of this.deps.registry.guests.values())
      for (const name of guest.keptChannels) kept.add(name)
    const { store, rules, inBackground } = this.deps
    if (kept.size > 0) inBackground(store.ensure([...kept], rules.settingsFor([...kept])))
  }
}
