import { AccessKeys } from './access-keys.ts'
import { redisFrames } from './frames.ts'
import { pathOf, refuseRedisHandshake } from './handshake.ts'
import { REDIS_FIELDS, readMessage } from './incoming.ts'
import { RedisUnavailable, RedisTimeout } from './redis-connection.ts'
import { KEY_REFUSALS, REDIS_REFUSALS } from './refusals.ts'
import type { IncomingMessage } from 'node:http'
import type { Guest } from '../core/delivery/guest.ts'
import type { Guests } from '../core/sessions/guests.ts'
import type { ChannelName } from '../protocol/ids.ts'
import type { Generation, Verdict } from './generation.ts'
import type { Written } from './incoming.ts'
import type { RedisBus } from './redis-bus.ts'
import type { Dialect } from './socket.ts'
import type { Permissions } from './token.ts'

export interface RedisGenerationOptions {
  readonly bus: RedisBus
  readonly guests: Guests
  readonly maxConnections: number
  /** Whether what is written is for others than Philote readers too, so that it has to come back even if none is here. */
  readonly hearsAll: boolean
  readonly onFault: (error: unknown) => void
}

/** The key is there, and is no text. */
const isWrongType = (error: unknown): boolean =>
  error instanceof Error && error.message.startsWith('WRONGTYPE ')

/** Philote 0.1: access keys and messages go through Redis, which is the bus; the hub is the fan-out. */
export class RedisGeneration implements Generation {
  readonly dialect: Dialect
  readonly #keys: AccessKeys
  /** Channels that are held because a guest writes there. */
  readonly #written = new Map<Guest, Set<string>>()

  constructor(private readonly options: RedisGenerationOptions) {
    this.#keys = new AccessKeys(options.bus.link)
    this.dialect = {
      form: redisFrames,
      read: (frame) => readMessage(frame, REDIS_FIELDS),
      isStrict: false,
      say: (guest, written) => this.#say(guest, written),
      gone: (guest) => this.#forget(guest),
    }
  }

  get maxConnections(): number {
    return this.options.maxConnections
  }

  /** A single one is echoed; more than one have been refused. */
  pickProtocol([only = '']: Iterable<string>): string {
    return only
  }

  judge(request: IncomingMessage): Verdict {
    const answer = refuseRedisHandshake(request)
    if (answer) return { answer }
    const path = pathOf(request.url)
    if (path === undefined) return { answer: REDIS_REFUSALS.path }
    const [, token = ''] = path.split('/')
    return { findPermissions: () => this.#permissions(token) }
  }

  /** Resolves once what is published in these channels comes here. */
  ready(channels: readonly ChannelName[]): Promise<void> {
    return this.options.bus.ready(channels)
  }

  async #permissions(token: string): Promise<Permissions | string> {
    try {
      return await this.#keys.use(token)
    } catch (error) {
      if (error instanceof RedisUnavailable || error instanceof RedisTimeout)
        return KEY_REFUSALS.unavailable
      if (isWrongType(error)) return KEY_REFUSALS.wrongType
      // The original passes on what Redis says. That tells strangers of its users, scripts and settings.
      this.options.onFault(error)
      return KEY_REFUSALS.failed
    }
  }

  async #say(guest: Guest, written: Written): Promise<void> {
    const { bus, guests, hearsAll } = this.options
    if (hearsAll) {
      await guests.keep(guest, [written.channel as ChannelName])
      this.#hold(guest, written.channel)
      await bus.ready([written.channel])
    }
    await bus.say(guest.user, written)
  }

  #hold(guest: Guest, channel: string): void {
    const held = this.#written.get(guest) ?? new Set()
    // One that has gone is heard to its last word, but nobody would release what it holds.
    if (held.has(channel) || !guest.sink) return
    this.#written.set(guest, held.add(channel))
    this.options.bus.hold(channel)
  }

  #forget(guest: Guest): void {
    for (const channel of this.#written.get(guest) ?? []) this.options.bus.release(channel)
    this.#written.delete(guest)
  }
}
