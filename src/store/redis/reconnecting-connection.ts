import { setTimeout as sleep } from 'node:timers/promises'
import { backoffMs } from '../../lib/backoff.ts'
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
  /** On a Cluster, the node with the slot of this key is used. */
  readonly rootKey: string
  /** How long Redis may take to answer. After that the connection counts as lost. */
  readonly timeoutMs: number
  /** Called on a new connection before anything else. The connection is ready when it resolves. */
  readonly onConnected: (connection: Connection) => Promise<void>
  /** Called when commands are accepted again. */
  readonly onReady: () => void
  /**
   * Called when the connection is lost, with the reason and advice for the operator. Called once until it is back, and
   * again if another reason with advice appears.
   */
  readonly onAway: (error: unknown, advice: string | undefined) => void
  readonly onBack: (where: string) => void
  readonly onFault: (error: unknown) => void
  /** Called with each message on a subscribed topic. */
  readonly onMessage: (text: string, topic: string) => void
}

const RETRY = { firstMs: 50, mostMs: 1000 }
/** A different reason is reported from this attempt on: by then it has lasted for some seconds. */
const LASTING_ATTEMPT = 5

/** Setting up a new connection takes several commands, so it may take this many times the timeout of one. */
const SETUP_TIMEOUTS = 4

/**
 * Connects a server to Redis with one connection for commands and one for announcements: both or none. Reconnects
 * automatically, to whichever machine serves at that time.
 */
export class ReconnectingConnection {
  #connection: Connection | undefined
  #isStopped = false
  #isAway = false
  /** The advice that was given since Redis became unavailable. */
  readonly #advised = new Set<string | undefined>()
  #wake: (() => void) | undefined

  constructor(private readonly options: ReconnectingConnectionOptions) {}

  /** Resolves when the connection is ready. Gives up after `startTimeoutMs`, and rejects with the reason. */
  async start(startTimeoutMs: number): Promise<void> {
    const { address, timeoutMs } = this.options
    const deadline = performance.now() + startTimeoutMs
    let why: unknown
    for (let attempt = 0; attempt === 0 || performance.now() < deadline; attempt++) {
      // An attempt tries each endpoint, and has to end within the start timeout.
      const leftMs = (deadline - performance.now()) / address.endpoints.length
      const allowedMs = Math.max(1, Math.min(timeoutMs, leftMs))
      try {
        const connection = await this.#connect(allowedMs, deadline)
        inBackground(this.#keepConnected(connection), this.options.onFault)
        return
      } catch (error) {
        const isUnfit = error instanceof UnfitRedis
        // The last attempt has less time than the others. If it only timed out, an earlier error says more.
        const isCut = allowedMs < timeoutMs && performance.now() >= deadline - 1
        if (why === undefined || isUnfit || !isCut) why = error
        if (isUnfit) break
      }
      // This timer is not unref'ed: nothing else keeps the process alive before the start.
      await sleep(Math.max(0, Math.min(backoffMs(attempt, RETRY), deadline - performance.now())))
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

  /** Rejects with `StoreUnavailable`, or with the error that Redis replies. */
  async command(...args: readonly string[]): Promise<Reply> {
    return this.#ready().command(args)
  }

  /** Resolves with undefined if Redis does not allow the command. Rejects with `StoreUnavailable`. */
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

  /** Resolves when everything that Redis announced before has been received. */
  async drainAnnouncements(): Promise<void> {
    await this.#ready().drainAnnouncements()
  }

  /** Ends the connection, which causes a reconnect. */
  cut(why: unknown): void {
    this.#connection?.cut(why)
  }

  #ready(): Connection {
    if (!this.#connection) throw new StoreUnavailable()
    return this.#connection
  }

  /** Connects, sets the connection up, and makes it available. */
  async #connect(connectMs = this.options.timeoutMs, deadline = Infinity): Promise<Connection> {
    const { address, rootKey, timeoutMs, onConnected, onMessage } = this.options
    const connection = new Connection(await connectClients(address, rootKey, connectMs), onMessage)
    try {
      const leftMs = Math.max(1, Math.ceil(deadline - performance.now()))
      await connection.guarded(
        onConnected(connection),
        Math.min(timeoutMs * SETUP_TIMEOUTS, leftMs),
      )
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

  /** Reconnects each time the connection ends. */
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
          sleep(backoffMs(attempt, RETRY), undefined, { ref: false }),
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
