import { setTimeout as sleep } from 'node:timers/promises'
import { backoffMs } from '../lib/backoff.ts'
import { reasonOf } from '../lib/reason.ts'
import { discard, isRefusal } from '../lib/redis-client.ts'
import { withTimeout } from '../lib/timeout.ts'
import type * as Library from '@redis/client'
import type { RedisClientType, TypeMapping } from '@redis/client'
import type { Certificates } from '../lib/redis-url.ts'

type Modules = Record<string, never>
type Client = RedisClientType<Modules, Modules, Modules, 2, TypeMapping>
type MakeClient = ReturnType<typeof Library.RedisClient.factory<Modules, Modules, Modules, 2>>

/** A command fails if it cannot be sent within this time. */
const SEND_TIMEOUT_MS = 5000
/** A command that was sent fails after a little longer. It is unknown whether it took effect. */
const ANSWER_TIMEOUT_MS = 6000
const DEFAULT_PORT = 6379
const RETRY = { firstMs: 50, mostMs: 1000 }

/** A command could not be sent to Redis. */
export class RedisUnavailable extends Error {
  override readonly name = 'RedisUnavailable'
  constructor(options?: ErrorOptions) {
    super('Redis cannot be reached', options)
  }
}

/** A command was sent to Redis, but no reply came. It may have taken effect, or not. */
export class RedisTimeout extends Error {
  override readonly name = 'RedisTimeout'
  constructor(options?: ErrorOptions) {
    super('Redis did not answer', options)
  }
}

export interface RedisConnectionOptions {
  readonly url: string
  /** For a rediss:// url. */
  readonly certificates?: Certificates | undefined
  /** Called with each message on a subscribed channel. */
  readonly onMessage: (channel: string, text: string) => void
  /** Called once when Redis becomes unavailable, and when it is back. */
  readonly onAway: (error: unknown) => void
  readonly onBack: () => void
}

interface Subscription {
  holders: number
  isSubscribed: boolean
  readonly listener: (text: string) => void
  /** Settles when the last request to Redis for this channel is done. */
  work: Promise<void>
}

/**
 * Keeps two connections to Redis, independent of the number of sockets: one for subscriptions, one for commands. Both
 * reconnect automatically, and restore the subscriptions.
 */
export class RedisConnection {
  readonly #subscriptions = new Map<string, Subscription>()
  #library: typeof Library | undefined
  #clients: readonly [commands: Client, listening: Client] | undefined
  #isStarted = false
  #isAway = false

  constructor(private readonly options: RedisConnectionOptions) {}

  get #commands(): Client | undefined {
    return this.#clients?.[0]
  }

  get #listening(): Client | undefined {
    return this.#clients?.[1]
  }

  /** Connects. Rejects with the address and the reason if Redis cannot be used within `startTimeoutMs`. */
  async start(startTimeoutMs: number): Promise<void> {
    const fault = await this.#open(startTimeoutMs)
    if (fault === undefined) return
    this.stop()
    const { hostname, port } = new URL(this.options.url)
    const place = `${hostname}:${port || DEFAULT_PORT}`
    throw new Error(`Redis (${place}): ${reasonOf(fault)}`, { cause: fault })
  }

  /** The same for callers that can work without Redis: after `startTimeoutMs`, continues to try in the background. */
  async startOptional(startTimeoutMs: number): Promise<void> {
    const fault = await this.#open(startTimeoutMs)
    if (fault !== undefined) this.#noteAway(fault)
  }

  /** Resolves with the error if Redis cannot be used, otherwise with undefined. */
  async #open(startTimeoutMs: number): Promise<unknown> {
    // Load the client only if there is a Redis.
    this.#library = await import('@redis/client')
    // `createClient` builds a new class whenever the options differ, which takes tens of milliseconds.
    const make = this.#library.RedisClient.factory<Modules, Modules, Modules, 2>({ RESP: 2 })
    let lastFault: unknown = new Error(`does not answer within ${startTimeoutMs} ms`)
    return new Promise((resolve) => {
      const end = (fault?: unknown): void => {
        clearTimeout(timer)
        this.#isStarted = true
        resolve(fault)
      }
      const timer = setTimeout(() => end(lastFault), startTimeoutMs)
      const onFault = (fault: unknown): void => {
        lastFault = fault
        if (isRefusal(fault)) end(fault)
      }
      const clients = (this.#clients = [
        this.#newClient(make, onFault),
        this.#newClient(make, onFault),
      ])
      // Without a user and a password, connecting sends no command yet: check that Redis replies.
      const begin = (client: Client): Promise<unknown> =>
        client.connect().then(() => client.sendCommand(['PING']))
      Promise.all(clients.map(begin)).then(() => end(), onFault)
    })
  }

  #newClient(make: MakeClient, onFault: (fault: unknown) => void): Client {
    const client: Client = make<TypeMapping>({
      url: this.options.url,
      disableClientInfo: true,
      commandOptions: { timeout: SEND_TIMEOUT_MS },
      socket: {
        connectTimeout: SEND_TIMEOUT_MS,
        reconnectStrategy: (retries) => backoffMs(retries, RETRY),
        ...(this.options.certificates && { ...this.options.certificates, tls: true as const }),
      },
    })
    client.on('error', (error) => {
      this.#noteAway(error)
      onFault(error)
    })
    client.on('ready', () => this.#noteBack())
    return client
  }

  stop(): void {
    const clients = this.#clients
    this.#clients = undefined
    for (const client of clients ?? []) discard(client)
  }

  /** Resolves with the reply to a command. Rejects with an error of Redis, `RedisUnavailable` or `RedisTimeout`. */
  async command(...args: readonly string[]): Promise<unknown> {
    if (!this.#commands?.isOpen) throw new RedisUnavailable()
    const { ErrorReply, TimeoutError } = this.#library as typeof Library
    try {
      return await withAnswerTimeout(this.#commands.sendCommand([...args]))
    } catch (error) {
      if (error instanceof ErrorReply || error instanceof RedisTimeout) throw error
      // The timeout of the client covers only commands that are not sent yet.
      throw error instanceof TimeoutError
        ? new RedisUnavailable({ cause: error })
        : new RedisTimeout({ cause: error })
    }
  }

  /** Subscribes to a channel until it is released as often as it was held. */
  hold(channel: string): void {
    const known = this.#subscriptions.get(channel)
    const subscription = known ?? this.#newSubscription(channel)
    if (++subscription.holders === 1) this.#synchronize(channel, subscription)
  }

  release(channel: string): void {
    const subscription = this.#subscriptions.get(channel)
    if (subscription && --subscription.holders === 0) this.#synchronize(channel, subscription)
  }

  /** Resolves when Redis sends messages of these channels, which have to be held. Rejects if it takes too long. */
  async ready(channels: readonly string[]): Promise<void> {
    const works = channels.map((channel) => this.#subscriptions.get(channel)?.work)
    await withAnswerTimeout(Promise.all(works.map(async (work) => work)))
  }

  #newSubscription(channel: string): Subscription {
    const listener = (text: string): void => this.options.onMessage(channel, text)
    const fresh = { holders: 0, isSubscribed: false, listener, work: Promise.resolve() }
    this.#subscriptions.set(channel, fresh)
    return fresh
  }

  /** Subscribes or unsubscribes, whichever is needed. Runs one step after the other for each channel. */
  #synchronize(channel: string, subscription: Subscription): void {
    const synchronize = async (): Promise<void> => {
      const isHeld = subscription.holders > 0
      if (isHeld && !subscription.isSubscribed) await this.#subscribe(channel, subscription)
      if (!isHeld && subscription.isSubscribed) await this.#unsubscribe(channel, subscription)
      if (subscription.holders === 0) this.#subscriptions.delete(channel)
    }
    // A rejected step would stop all later ones.
    subscription.work = subscription.work.then(synchronize).catch((error) => this.#noteAway(error))
  }

  /** Retries until Redis has confirmed. */
  async #subscribe(channel: string, subscription: Subscription): Promise<void> {
    while (this.#listening && !subscription.isSubscribed)
      try {
        await this.#listening.subscribe(channel, subscription.listener)
        subscription.isSubscribed = true
      } catch (error) {
        this.#noteAway(error)
        await sleep(RETRY.mostMs, undefined, { ref: false })
      }
  }

  async #unsubscribe(channel: string, subscription: Subscription): Promise<void> {
    subscription.isSubscribed = false
    try {
      await this.#listening?.unsubscribe(channel, subscription.listener)
    } catch (error) {
      this.#noteAway(error) // the subscription ended with its connection
    }
  }

  #noteAway(error: unknown): void {
    if (!this.#isStarted) return // the caller of `start` gets the error
    if (!this.#isAway && this.#listening) this.options.onAway(error)
    this.#isAway = true
  }

  #noteBack(): void {
    if (this.#isAway) this.options.onBack()
    this.#isAway = false
  }
}

/** Rejects with `RedisTimeout` if the work takes too long: Redis may be connected and not reply. */
export const withAnswerTimeout = <Answer>(work: Promise<Answer>): Promise<Answer> =>
  withTimeout(work, ANSWER_TIMEOUT_MS, () => new RedisTimeout())
