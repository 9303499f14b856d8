import { ErrorReply } from '@redis/client'
import { reasonOf } from '../../lib/reason.ts'
import { withTimeout } from '../../lib/timeout.ts'
import { StoreUnavailable } from '../store.ts'
import { ask } from './connect.ts'
import { isUnavailable } from './faults.ts'
import type { Client, ClientPair } from './connect.ts'
import type { Reply } from './encoding.ts'
import type { Script } from './scripts.ts'

/** One pair of connections to Redis, until either of them ends. */
export class Connection {
  readonly #clients: ClientPair
  #draining: Promise<void> | undefined
  #cutReason: Error | undefined
  /** Resolves when one of the two connections has ended. Neither is of use without the other. */
  readonly ended: Promise<unknown>

  constructor(
    clients: ClientPair,
    private readonly onMessage: (text: string, topic: string) => void,
  ) {
    this.#clients = clients
    // Redis ends the subscriptions of a slot on a machine that does not serve it any more.
    clients.subscriber.on('sharded-channel-moved', () =>
      this.cut(new Error(`${clients.where} does not serve the slot any more`)),
    )
    this.ended = Promise.race([clients.commands, clients.subscriber].map(endOf))
    const cut = (): void => this.cut()
    this.ended.then(cut, cut)
  }

  /** Why the connection was cut, if it was. */
  get cutReason(): Error | undefined {
    return this.#cutReason
  }

  get where(): string {
    return this.#clients.where
  }

  get run(): string {
    return this.#clients.run
  }

  async command(args: readonly string[]): Promise<Reply> {
    try {
      return await ask(this.#clients.commands, args)
    } catch (error) {
      throw this.#translate(error)
    }
  }

  /** Resolves with undefined if Redis does not allow the command. Such an error does not affect the connection. */
  async commandIfAllowed(args: readonly string[]): Promise<Reply | undefined> {
    try {
      return await ask(this.#clients.commands, args)
    } catch (error) {
      if (error instanceof ErrorReply) return undefined
      throw new StoreUnavailable({ cause: error })
    }
  }

  /** Loads the scripts into Redis, so that they can be called by their hashes. */
  async load(scripts: readonly Script[]): Promise<void> {
    await Promise.all(scripts.map(({ text }) => this.command(['SCRIPT', 'LOAD', text])))
  }

  async script({ sha, text }: Script, args: readonly string[]): Promise<Reply> {
    try {
      return await ask(this.#clients.commands, ['EVALSHA', sha, ...args])
    } catch (error) {
      if (!reasonOf(error).startsWith('NOSCRIPT')) throw this.#translate(error)
      // Somebody has flushed the scripts of Redis.
      return this.command(['EVAL', text, ...args])
    }
  }

  async subscribe(topics: readonly string[]): Promise<void> {
    try {
      await this.#clients.subscriber.sSubscribe([...topics], this.onMessage)
    } catch (error) {
      throw this.#translate(error)
    }
  }

  async unsubscribe(topics: readonly string[]): Promise<void> {
    try {
      await this.#clients.subscriber.sUnsubscribe([...topics], this.onMessage)
    } catch (error) {
      throw this.#translate(error)
    }
  }

  /**
   * Resolves when everything that was announced before has been received. The reply to a PING arrives after it. Calls
   * of one turn of the event loop share a PING.
   */
  drainAnnouncements(): Promise<void> {
    return (this.#draining ??= this.#drain())
  }

  async #drain(): Promise<void> {
    await Promise.resolve()
    this.#draining = undefined
    try {
      await ask(this.#clients.subscriber, ['PING'])
    } catch (error) {
      throw this.#translate(error)
    }
  }

  /** Rejects if the work takes too long, or the connection ends meanwhile. */
  async guarded<Value>(work: Promise<Value>, timeoutMs: number): Promise<Value> {
    const lost = this.ended.then(() => {
      throw this.#cutReason ?? new Error(`the connection to ${this.where} is lost`)
    })
    const late = (): Error => new Error(`no answer within ${timeoutMs} ms`)
    return withTimeout(Promise.race([work, lost]), timeoutMs, late)
  }

  cut(why?: unknown): void {
    if (why instanceof Error) this.#cutReason ??= why
    for (const client of [this.#clients.commands, this.#clients.subscriber])
      if (client.isOpen) client.destroy()
  }

  #translate(error: unknown): unknown {
    if (!(error instanceof ErrorReply)) return new StoreUnavailable({ cause: error })
    if (!isUnavailable(error)) return error
    this.cut(error)
    return new StoreUnavailable({ cause: error })
  }
}

const endOf = (client: Client): Promise<void> =>
  new Promise((resolve) => {
    if (!client.isOpen) return resolve()
    const done = (): void => {
      client.off('end', done).off('terminated', done)
      resolve()
    }
    client.on('end', done).on('terminated', done)
  })
