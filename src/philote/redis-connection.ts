import { reasonOf } from '../lib/reason.ts'
import { discard, isRefusal } from '../lib/redis-client.ts'
import type * as Library from '@redis/client'
import type { RedisClientType, TypeMapping } from '@redis/client'

type Modules = Record<string, never>
type Client = RedisClientType<Modules, Modules, Modules, 2, TypeMapping>
type MakeClient = ReturnType<typeof Library.RedisClient.factory<Modules, Modules, Modules, 2>>

/** A command that could not be handed to Redis within so long is given up. */
const SEND_TIMEOUT_MS = 5000
/** One that was is given up after a little longer: whether it took effect is not known. */
const ANSWER_TIMEOUT_MS = 6000
const DEFAULT_PORT = 6379
const RETRY_FIRST_MS = 50
const RETRY_MOST_MS = 1000

/** A command could not be handed to Redis. */
export class RedisUnavailable extends Error {
  override readonly name = 'RedisUnavailable'
  constructor(options?: ErrorOptions) {
    super('Redis cannot be reached', options)
  }
}

/** A command was handed to Redis, and no answer came: it may have taken effect, or not. */
export class RedisTimeout extends Error {
  override readonly name = 'RedisTimeout'
  constructor(options?: ErrorOptions) {
    super('Redis did not answer', options)
  }
}

export interface RedisConnectionOptions {
  readonly url: string
  /** A message came on a channel that is subscribed to. */
  readonly onMessage: (channel: string, text: string) => void
  /** Told once when Redis goes away, and when it is back. */
  readonly onAway: (error: unknown) => void
  readonly onBack: () => void
}

interface Subscription {
  holders: number
  isSubscribed: boolean
  readonly listener: (text: string) => void
  /** Settled when what was last asked of Redis for this channel is done. */
  work: Promise<void>
}

/**
 * Two connections to Redis, however many sockets there are: one listens, the other does everything else. Both come back
 * by themselves, and what was subscribed to is subscribed to again.
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

  /** Resolves once Redis is there. Rejects with which address and why, if it cannot be used within `patienceMs`. */
  async start(patienceMs: number): Promise<void> {
    const fault = await this.#open(patienceMs)
    if (fault === undefined) return
    this.stop()
    const { hostname, port } = new URL(this.options.url)
    const place = `${hostname}:${port || DEFAULT_PORT}`
    throw new Error(`Redis (${place}): ${reasonOf(fault)}`, { cause: fault })
  }

  /** The same for those who can do without: after `patienceMs` it goes on trying behind their back. */
  async startOptional(patienceMs: number): Promise<void> {
    const fault = await this.#open(patienceMs)
    if (fault !== undefined) this.#noteAway(fault)
  }

  /** Resolves with why Redis cannot be used, or with undefined. */
  async #open(patienceMs: number): Promise<unknown> {
    // Only who has a Redis pays for its client.
    this.#library = await import('@redis/client')
    // `createClient` makes another class for other options, which takes tens of milliseconds.
    const make = this.#library.RedisClient.factory<Modules, Modules, Modules, 2>({ RESP: 2 })
    let lastFault: unknown = new Error(`does not answer within ${patienceMs} ms`)
    return new Promise((resolve) => {
      const end = (fault?: unknown): void => {
        clearTimeout(timer)
        this.#isStarted = true
        resolve(fault)
      }
      const timer = setTimeout(() => end(lastFault), patienceMs)
      const onFault = (fault: unknown): void => {
        lastFault = fault
        if (isRefusal(fault)) end(fault)
      }
      const clients = (this.#clients = [
        this.#newClient(make, onFault),
        this.#newClient(make, onFault),
      ])
      // Without a user and a password nothing has been said yet on a connection that is made.
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
      socket: { connectTimeout: SEND_TIMEOUT_MS, reconnectStrategy: retryDelay },
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

  /** The answer to a command. Rejects with what Redis says against it, `RedisUnavailable` or `RedisTimeout`. */
  async command(...args: readonly string[]): Promise<unknown> {
    if (!this.#commands?.isOpen) throw new RedisUnavailable()
    const { ErrorReply, TimeoutError } = this.#library as typeof Library
    try {
      return await answered(this.#commands.sendCommand([...args]))
    } catch (error) {
      if (error instanceof ErrorReply || error instanceof RedisTimeout) throw error
      // The client times what waits to be sent, and nothing else.
      throw error instanceof TimeoutError
        ? new RedisUnavailable({ cause: error })
        : new RedisTimeout({ cause: error })
    }
  }

  /** Listens to a channel until it is released as often as it was held. */
  hold(channel: string): void {
    const known = this.#subscriptions.get(channel)
    const subscription = known ?? this.#newSubscription(channel)
    if (++subscription.holders === 1) this.#settle(channel, subscription)
  }

  release(channel: string): void {
    const subscription = this.#subscriptions.get(channel)
    if (subscription && --subscription.holders === 0) this.#settle(channel, subscription)
  }

  /** Resolves once Redis sends what is published on these channels, which have to be held. Rejects if it takes too long. */
  async ready(channels: readonly string[]): Promise<void> {
    const works = channels.map((channel) => this.#subscriptions.get(channel)?.work)
    await answered(Promise.all(works.map(async (work) => work)))
  }

  #newSubscription(channel: string): Subscription {
    const listener = (text: string): void => this.options.onMessage(channel, text)
    const fresh = { holders: 0, isSubscribed: false, listener, work: Promise.resolve() }
    this.#subscriptions.set(channel, fresh)
    return fresh
  }

  /** One step after the other for each channel, each by what holds by then. */
  #settle(channel: string, subscription: Subscription): void {
    const settle = async (): Promise<void> => {
      const isHeld = subscription.holders > 0
      if (isHeld && !subscription.isSubscribed) await this.#subscribe(channel, subscription)
      if (!isHeld && subscription.isSubscribed) await this.#unsubscribe(channel, subscription)
      if (subscription.holders === 0) this.#subscriptions.delete(channel)
    }
    // A step that failed would stop all that follow.
    subscription.work = subscription.work.then(settle).catch((error) => this.#noteAway(error))
  }

  /** Again and again until Redis has heard it. */
  async #subscribe(channel: string, subscription: Subscription): Promise<void> {
    while (this.#listening && !subscription.isSubscribed)
      try {
        await this.#listening.subscribe(channel, subscription.listener)
        subscription.isSubscribed = true
      } catch (error) {
        this.#noteAway(error)
        await pause(RETRY_MOST_MS)
      }
  }

  async #unsubscribe(channel: string, subscription: Subscription): Promise<void> {
    subscription.isSubscribed = false
    try {
      await this.#listening?.unsubscribe(channel, subscription.listener)
    } catch (error) {
      this.#noteAway(error) // gone with its connection
    }
  }

  #noteAway(error: unknown): void {
    if (!this.#isStarted) return // who starts it is told
    if (!this.#isAway && this.#listening) this.options.onAway(error)
    this.#isAway = true
  }

  #noteBack(): void {
    if (this.#isAway) this.options.onBack()
    this.#isAway = false
  }
}

/** Longer and longer, and never for all servers at the same moment. */
const retryDelay = (retries: number): number =>
  Math.min(RETRY_FIRST_MS * 2 ** retries, RETRY_MOST_MS) * (0.75 + Math.random() / 2)

const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => void setTimeout(resolve, ms).unref())

/** Redis may be there and say nothing: rejects with `RedisTimeout` when it takes too long. */
export async function answered<Answer>(work: Promise<Answer>): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new RedisTimeout()), ANSWER_TIMEOUT_MS)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
