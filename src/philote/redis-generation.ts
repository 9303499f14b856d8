import { AccessKeys } from './access-keys.ts'
import { redisFrames } from './frames.ts'
import { decodedPathOf, refuseRedisHandshake } from './handshake.ts'
import { REDIS_FIELDS, readMessage } from './incoming.ts'
import { RedisUnavailable, RedisTimeout } from './redis-connection.ts'
import { KEY_REFUSALS, REDIS_REFUSALS } from './refusals.ts'
import type { IncomingMessage } from 'node:http'
import type { Guest } from '../core/delivery/guest.ts'
import type { Guests } from '../core/sessions/guests.ts'
import type { ChannelName } from '../protocol/ids.ts'
import type { Generation, Decision } from './generation.ts'
import type { PhiloteMessage } from './incoming.ts'
import type { RedisBus } from './redis-bus.ts'
import type { Dialect } from './socket.ts'
import type { Permissions } from './token.ts'

export interface RedisGenerationOptions {
  readonly bus: RedisBus
  readonly guests: Guests
  readonly maxConnections: number
  /** Whether messages are for subscribers outside Philote, too. Then they must come back even without a reader here. */
  readonly isBridged: boolean
  readonly onFault: (error: unknown) => void
}

/** Whether the key exists, but is not a string. */
const isWrongType = (error: unknown): boolean =>
  error instanceof Error && error.message.startsWith('WRONGTYPE ')

/** Philote 0.1: access keys are in Redis, and messages go through Redis. The hub delivers them. */
export class RedisGeneration implements Generation {
  readonly dialect: Dialect
  readonly #keys: AccessKeys
  /** Channels that are held because a guest writes to them. */
  readonly #writtenChannels = new Map<Guest, Set<string>>()

  constructor(private readonly options: RedisGenerationOptions) {
    this.#keys = new AccessKeys(options.bus.connection)
    this.dialect = {
      form: redisFrames,
      read: (frame) => readMessage(frame, REDIS_FIELDS),
      isStrict: false,
      publish: (guest, message) => this.#publish(guest, message),
      onGuestClosed: (guest) => this.#forget(guest),
    }
  }

  get maxConnections(): number {
    return this.options.maxConnections
  }

  /** Picks the only protocol. Several are refused before. */
  pickProtocol([only = '']: Iterable<string>): string {
    return only
  }

  evaluate(request: IncomingMessage): Decision {
    const answer = refuseRedisHandshake(request)
    if (answer) return { answer }
    const path = decodedPathOf(request.url)
    if (path === undefined) return { answer: REDIS_REFUSALS.path }
    const [, token = ''] = path.split('/')
    return { findPermissions: () => this.#permissions(token) }
  }

  /** Resolves when messages in these channels arrive here. */
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
      // The original passes on the error of Redis. That would show users, scripts and settings of Redis to strangers.
      this.options.onFault(error)
      return KEY_REFUSALS.failed
    }
  }

  async #publish(guest: Guest, message: PhiloteMessage): Promise<void> {
    const { bus, guests, isBridged } = this.options
    if (isBridged) {
      await guests.keep(guest, [message.channel as ChannelName])
      this.#hold(guest, message.channel)
      await bus.ready([message.channel])
    }
    await bus.publish(guest.user, message)
  }

  #hold(guest: Guest, channel: string): void {
    const held = this.#writtenChannels.get(guest) ?? new Set()
    // Messages of a guest that has closed are still published, but nothing would release its channels.
    if (held.has(channel) || !guest.sink) return
    this.#writtenChannels.set(guest, held.add(channel))
    this.options.bus.hold(channel)
  }

  #forget(guest: Guest): void {
    for (const channel of this.#writtenChannels.get(guest) ?? []) this.options.bus.release(channel)
    this.#writtenChannels.delete(guest)
  }
}
