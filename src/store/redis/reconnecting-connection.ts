import { setTimeout as sleep } from 'node:timers/promises'
import { inBackground } from '../../lib/in-background.ts'
import { reasonOf } from '../../lib/reason.ts'
import { shownAddress } from '../../lib/redis-url.ts'
import { StoreUnavailable } from '../store.ts'
import { UnfitRedis, connectClients } from './connect.ts'
import { Connection } from './connection.ts'
import { adviceOn, causeOf } from './faults.ts'
import type { RedisAddress } from '../../lib/redis-url.ts'
import type { Reply } from './encoding.ts'
import type { Script } from './scripts.ts'

export interface ReconnectingConnectionOptions {
  readonly address: RedisAddress
  /** The key whose slot counts on a Cluster. */
  readonly rootKey: string
  /** How long Redis may take to answer. After that the connection counts as lost. */
  readonly timeoutMs: number
  /** What has to be done on a new connection before anything else; the link is ready when it resolves. */
  readonly onConnected: (connection: Connection) => Promise<void>
  /** From now on commands are taken. */
  readonly onReady: () => void
  /**
   * The connection is lost: why, and what can be done about it. Told once until it is back, and again if another reason
   * turns up that somebody can do something about.
   */
  readonly onAway: (error: unknown, advice: string | undefined) => void
  readonly onBack: (where: string) => void
  readonly onFault: (error: unknown) => void
  /** A message on a topic that is listened to. */
  readonly onMessage: (text: string, topic: string) => void
}

const RETRY_FIRST_MS = 50
const RETRY_MOST_MS = 1000
/** A reason that is still there at this attempt is told though another one was: some seconds have passed. */
const LASTING_ATTEMPT = 5

/** What has to be done on a new connection takes several commands. */
const SETTLING = 4

/**
 * What connects a server to Redis: one connection for commands, one for announcements, and both or none. It comes back by
 * itself, to whichever machine serves by then.
 */
export class ReconnectingConnection {
  #connection: Connection | undefined
  #isStopped = false
  #isAway = false
  /** The advice that was given, since Redis went away. */
  readonly #advised = new Set<string | undefined>()
  #wake: (() => void) | undefined

  constructor(private readonly options: ReconnectingConnectionOptions) {}

  /** Resolves once the link is ready. Rejects with why it is not within `startTimeoutMs`, and gives up. */
  async start(startTimeoutMs: number): Promise<void> {
    const { address, timeoutMs } = this.options
    const deadline = performance.now() + startTimeoutMs
    let why: unknown
    for (let attempt = 0; attempt === 0 || performance.now() < deadline; attempt++) {
      // Each of the endpoints is tried within an attempt, and no attempt outlasts the start.
      const leftMs = (deadline - performance.now()) / address.endpoints.length
      const allowedMs = Math.max(1, Math.min(timeoutMs, leftMs))
      try {
        const connection = await this.#connect(allowedMs, deadline)
        inBackground(this.#keepConnected(connection), this.options.onFault)
        return
      } catch (error) {
        const isUnfit = error instanceof UnfitRedis
        // The last attempt has less time than the others. If it uses that up, that is all that it knows.
        const isCut = allowedMs < timeoutMs && performance.now() >= deadline - 1
        if (why === undefined || isUnfit || !isCut) why = error
        if (isUnfit) break
      }
      // Nothing else keeps a process alive that has not started.
      await sleep(Math.max(0, Math.min(retryDelay(attempt), deadline - performance.now())))
    }
    const cause = causeOf(why)
    const advice = adviceOn(cause)
    const reason = `${reasonOf(cause)}${advice === undefined ? '' : ` (${advice})`}`
    throw new Error(`Redis (${shownAddress(address)}): ${reason}`, { cause })
  }

  stop(): void {
    this.#isStopped = true
    this.#connection?.cut()
    this.#connection = undefined
    this.#wake?.()
  }

  /** Rejects with `StoreUnavailable`, or with what Redis has against it. */
  async command(...args: readonly string[]): Promise<Reply> {
    return this.#ready().command(args)
  }

  /** Undefined if Redis does not allow it. Rejects with `StoreUnavailable`. */
  async commandIfAllowed(...args: readonly string[]): Promise<Reply | undefined> {
    return this.#ready().commandIfAllowed(args)
  }

  /** `args` begin with the number of keys. */
  async script(script: Script, args: readonly string[]): Promise<Reply> {
    return this.#ready().script(script, args)
  }

  async subscribe(topics: readonly string[]): Promise<void> {
    await this.#ready().subscribe(topics)
  }

  async unsubscribe(topics: readonly string[]): Promise<void> {
    await this.#ready().unsubscribe(topics)
  }

  /** Resolves when everything has come that Redis had announced before. */
  async drainAnnouncements(): Promise<void> {
    await this.#ready().drainAnnouncements()
  }

  /** Ends the connection, so that it is made anew. */
  cut(why: unknown): void {
    this.#connection?.cut(why)
  }

  #ready(): Connection {
    if (!this.#connection) throw new StoreUnavailable()
    return this.#connection
  }

  /** Connects, does what has to be done first, and is ready. */
  async #connect(connectMs = this.options.timeoutMs, deadline = Infinity): Promise<Connection> {
    const { address, rootKey, timeoutMs, onConnected, onMessage } = this.options
    const connection = new Connection(await connectClients(address, rootKey, connectMs), onMessage)
    try {
      const leftMs = Math.max(1, Math.ceil(deadline - performance.now()))
      await connection.withTimeout(onConnected(connection), Math.min(timeoutMs * SETTLING, leftMs))
    } catch (error) {
      connection.cut()
      throw connection.cutReason ?? error
    }
    if (this.#isStopped) connection.cut()
    else {
      this.#connection = connection
      this.options.onReady()
    }
    return connection
  }

  /** Waits for the end of a connection, then makes the next one; again and again. */
  async #keepConnected(first: Connection): Promise<void> {
    let connection = first
    while (!this.#isStopped) {
      await connection.ended
      this.#connection = undefined
      if (this.#isStopped) return
      this.#noteAway(
        connection.cutReason ?? new Error(`the connection to ${connection.where} is lost`),
        0,
      )
      const next = await this.#reconnect()
      if (!next) return
      connection = next
    }
  }

  async #reconnect(): Promise<Connection | undefined> {
    for (let attempt = 0; !this.#isStopped; attempt++)
      try {
        const connection = await this.#connect()
        this.#isAway = false
        this.#advised.clear()
        if (!this.#isStopped) this.options.onBack(connection.where)
        return connection
      } catch (error) {
        this.#noteAway(error, attempt)
        await Promise.race([
          pause(retryDelay(attempt)),
          new Promise<void>((wake) => (this.#wake = wake)),
        ])
      }
    return undefined
  }

  #noteAway(error: unknown, attempt: number): void {
    const cause = causeOf(error)
    const advice = adviceOn(cause)
    const isNews = advice !== undefined && !this.#advised.has(advice)
    if (this.#isAway && (!isNews || attempt < LASTING_ATTEMPT)) return
    this.#isAway = true
    this.#advised.add(advice)
    this.options.onAway(cause, advice)
  }
}

/** Longer and longer, and never for all servers at the same moment. */
const retryDelay = (attempt: number): number =>
  Math.min(RETRY_FIRST_MS * 2 ** attempt, RETRY_MOST_MS) * (0.75 + Math.random() / 2)

const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => void setTimeout(resolve, ms).unref())
