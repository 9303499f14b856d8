import { ErrorReply } from '@redis/client'
import { setTimeout as sleep } from 'node:timers/promises'
import { StoreAway } from '../store.ts'
import { UnfitRedis, ask, connectWire } from './wire.ts'
import { reasonOf } from '../../reason.ts'
import { shownAddress } from '../../redis-address.ts'
import type { RedisAddress } from '../../redis-address.ts'
import type { Client, Wire } from './wire.ts'
import type { Reply } from './encoding.ts'
import type { Script } from './scripts.ts'

export interface LinkOptions {
  readonly address: RedisAddress
  /** The key whose slot counts on a Cluster. */
  readonly rootKey: string
  /** How long Redis may take to answer. After that the connection counts as lost. */
  readonly timeoutMs: number
  /** What has to be done on a new connection before anything else; the link is ready when it resolves. */
  readonly onConnected: (line: Line) => Promise<void>
  /** From now on commands are taken. */
  readonly onReady: () => void
  /** The connection is lost. Told once, until it is back. */
  readonly onAway: (error: unknown) => void
  readonly onBack: (where: string) => void
  /** A message on a topic that is listened to. */
  readonly onMessage: (text: string, topic: string) => void
}

const RETRY_FIRST_MS = 50
const RETRY_MOST_MS = 1000

/**
 * What Redis answers while it cannot do its work (OOM, MISCONF and BUSY: it has no room), may not do it for this user (NOPERM,
 * NOAUTH), or when another machine has to be asked. The connection is made anew, which fails for as long as this lasts, and
 * then puts right what could not be written.
 */
const AWAY =
  /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|MOVED|ASK|TRYAGAIN|NOREPLICAS|UNBLOCKED|OOM|MISCONF|BUSY|NOPERM|NOAUTH) /

/**
 * What connects a server to Redis: one connection for commands, one for announcements, and both or none. It comes back by
 * itself, to whichever machine serves by then.
 */
export class Link {
  #line: Line | undefined
  #isStopped = false
  #isAway = false
  #wake: (() => void) | undefined

  constructor(private readonly options: LinkOptions) {}

  /** Resolves once the link is ready. Rejects with why it is not within `patienceMs`, and gives up. */
  async start(patienceMs: number): Promise<void> {
    const { address, timeoutMs } = this.options
    const deadline = performance.now() + patienceMs
    let why: unknown
    for (let attempt = 0; attempt === 0 || performance.now() < deadline; attempt++) {
      // Each of the endpoints is tried within an attempt, and no attempt outlasts the start.
      const leftMs = (deadline - performance.now()) / address.endpoints.length
      const allowedMs = Math.max(1, Math.min(timeoutMs, leftMs))
      try {
        const wire = await this.#connect(allowedMs, deadline)
        void this.#hold(wire)
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
    throw new Error(`Redis (${shownAddress(address)}): ${reasonOf(why)}`, { cause: why })
  }

  stop(): void {
    this.#isStopped = true
    this.#line?.cut()
    this.#line = undefined
    this.#wake?.()
  }

  /** Rejects with `StoreAway`, or with what Redis has against it. */
  async command(...args: readonly string[]): Promise<Reply> {
    return this.#ready().command(args)
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
  async announced(): Promise<void> {
    await this.#ready().announced()
  }

  /** Ends the connection, so that it is made anew. The log says why. */
  cut(why?: unknown): void {
    this.#line?.cut(why)
  }

  #ready(): Line {
    if (!this.#line) throw new StoreAway()
    return this.#line
  }

  /** Connects, does what has to be done first, and is ready. */
  async #connect(connectMs = this.options.timeoutMs, deadline = Infinity): Promise<Wire> {
    const { address, rootKey, timeoutMs, onConnected, onMessage } = this.options
    const wire = await connectWire(address, rootKey, connectMs)
    const line = new Line(wire, onMessage)
    try {
      const leftMs = Math.max(1, Math.ceil(deadline - performance.now()))
      await line.guarded(onConnected(line), Math.min(timeoutMs * SETTLING, leftMs))
    } catch (error) {
      line.cut()
      // Who reads the log, or why the server does not start, wants to know what Redis said.
      throw error instanceof StoreAway ? (error.cause ?? error) : error
    }
    if (this.#isStopped) line.cut()
    else {
      this.#line = line
      this.options.onReady()
    }
    return wire
  }

  /** Waits for the end of a connection, then makes the next one; again and again. */
  async #hold(first: Wire): Promise<void> {
    let wire = first
    while (!this.#isStopped) {
      await ended(wire)
      const why = this.#line?.why ?? new Error(`the connection to ${wire.where} is lost`)
      this.#line = undefined
      if (this.#isStopped) return
      this.#noteAway(why)
      const next = await this.#reconnect()
      if (!next) return
      wire = next
    }
  }

  async #reconnect(): Promise<Wire | undefined> {
    for (let attempt = 0; !this.#isStopped; attempt++)
      try {
        const wire = await this.#connect()
        this.#isAway = false
        if (!this.#isStopped) this.options.onBack(wire.where)
        return wire
      } catch (error) {
        this.#noteAway(error)
        await Promise.race([
          pause(retryDelay(attempt)),
          new Promise<void>((wake) => (this.#wake = wake)),
        ])
      }
    return undefined
  }

  #noteAway(error: unknown): void {
    if (!this.#isAway) this.options.onAway(error)
    this.#isAway = true
  }
}

/** What has to be done on a new connection takes several commands. */
const SETTLING = 4

/** One connection, while it lasts. */
export class Line {
  readonly #wire: Wire
  #announced: Promise<void> | undefined
  #why: unknown

  constructor(
    wire: Wire,
    private readonly onMessage: (text: string, topic: string) => void,
  ) {
    this.#wire = wire
    // Redis takes the topics of a slot away from a machine that serves it no more.
    wire.announcements.on('sharded-channel-moved', () => this.cut())
    // One without the other is of no use.
    void ended(wire).then(() => this.cut())
  }

  /** Why this server ended the connection, if it knows. */
  get why(): unknown {
    return this.#why
  }

  get run(): string {
    return this.#wire.run
  }

  async command(args: readonly string[]): Promise<Reply> {
    try {
      return await ask(this.#wire.commands, args)
    } catch (error) {
      throw this.#meant(error)
    }
  }

  /** Makes Redis know the scripts, so that they are called by their short names. */
  async load(scripts: readonly Script[]): Promise<void> {
    await Promise.all(scripts.map(({ text }) => this.command(['SCRIPT', 'LOAD', text])))
  }

  async script({ sha, text }: Script, args: readonly string[]): Promise<Reply> {
    try {
      return await ask(this.#wire.commands, ['EVALSHA', sha, ...args])
    } catch (error) {
      if (!reasonOf(error).startsWith('NOSCRIPT')) throw this.#meant(error)
      // Somebody has made Redis forget its scripts.
      return this.command(['EVAL', text, ...args])
    }
  }

  async subscribe(topics: readonly string[]): Promise<void> {
    try {
      await this.#wire.announcements.sSubscribe([...topics], this.onMessage)
    } catch (error) {
      throw this.#meant(error)
    }
  }

  async unsubscribe(topics: readonly string[]): Promise<void> {
    try {
      await this.#wire.announcements.sUnsubscribe([...topics], this.onMessage)
    } catch (error) {
      throw this.#meant(error)
    }
  }

  /** One question for all who ask in one turn: its answer comes behind what was announced before. */
  announced(): Promise<void> {
    return (this.#announced ??= this.#askAnnouncements())
  }

  async #askAnnouncements(): Promise<void> {
    await Promise.resolve()
    this.#announced = undefined
    try {
      await ask(this.#wire.announcements, ['PING'])
    } catch (error) {
      throw this.#meant(error)
    }
  }

  /** Rejects if the work takes too long, or the connection ends meanwhile. */
  async guarded<Value>(work: Promise<Value>, timeoutMs: number): Promise<Value> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
    })
    const lost = ended(this.#wire).then(() => {
      throw new Error('the connection ended')
    })
    lost.catch(() => {}) // told by the race, or by nobody after it
    return Promise.race([work, late, lost]).finally(() => clearTimeout(timer))
  }

  cut(why?: unknown): void {
    this.#why ??= why
    for (const client of [this.#wire.commands, this.#wire.announcements])
      if (client.isOpen) client.destroy()
  }

  #meant(error: unknown): unknown {
    if (!(error instanceof ErrorReply)) return new StoreAway({ cause: error })
    if (!AWAY.test(error.message)) return error
    this.cut(error)
    return new StoreAway({ cause: error })
  }
}

/** Resolves when one of the two has ended. */
const ended = ({ commands, announcements }: Wire): Promise<unknown> =>
  Promise.race([commands, announcements].map(endOf))

const endOf = (client: Client): Promise<void> =>
  new Promise((resolve) => {
    if (!client.isOpen) return resolve()
    const done = (): void => {
      client.off('end', done).off('terminated', done)
      resolve()
    }
    client.on('end', done).on('terminated', done)
  })

/** Longer and longer, and never for all servers at the same moment. */
const retryDelay = (attempt: number): number =>
  Math.min(RETRY_FIRST_MS * 2 ** attempt, RETRY_MOST_MS) * (0.75 + Math.random() / 2)

const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => void setTimeout(resolve, ms).unref())
