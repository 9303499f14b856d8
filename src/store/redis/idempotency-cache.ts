import { ANSWER_OVERHEAD_BYTES } from '../idempotency-cache.ts'
import { StoreUnavailable } from '../store.ts'
import type { CachedAnswer, IdempotencyCache, Claim } from '../idempotency-cache.ts'
import type { ScriptRunner } from './script-runner.ts'

export interface RedisIdempotencyCacheOptions {
  /** How long an answer is kept. 0: only requests that already wait for it get it. */
  readonly windowMs: number
  /** Limit for all answers of the installation. Each counts as its text plus `ANSWER_OVERHEAD_BYTES`. */
  readonly maxBytes: number
}

/** A claim expires if the request takes longer than this. */
const PENDING_MS = 120_000
/** How often waiting requests look up the answer themselves, because the message with it may be lost. */
const LOOKUP_INTERVAL_MS = 2000

type ClaimReply =
  | readonly ['first' | 'reused']
  | readonly ['answered', string]
  | readonly ['pending', server: string]

/** A claim that this server has tried to make. */
interface OwnClaim {
  readonly key: string
  readonly fingerprint: string
  /** Distinguishes it from all other claims of the key. */
  readonly id: string
}

/** Caches answers in Redis, for all servers of the installation. */
export class RedisIdempotencyCache implements IdempotencyCache {
  /** Claims to settle when Redis is back. Until then, repeats of the request fail as well. */
  readonly #unsent = new Map<OwnClaim, { readonly text: string; readonly size: number }>()
  /** Callbacks for the answers of pending requests, by key. */
  readonly #waiting = new Map<string, Set<(text: string | undefined) => void>>()

  constructor(
    private readonly runner: ScriptRunner,
    private readonly options: RedisIdempotencyCacheOptions,
  ) {}

  async claim(key: string, fingerprint: string): Promise<Claim> {
    const own = newClaim(key, fingerprint)
    // Listen first: the answer may arrive before the reply that says it is pending.
    const listener = this.#listenForAnswer(key)
    const reply = await this.#runClaim(own).catch((error: unknown) => {
      listener.cancel()
      throw error
    })
    if (reply[0] !== 'pending') listener.cancel()
    switch (reply[0]) {
      case 'first':
        return { outcome: 'first', settle: (answer, keep) => this.#settle(own, answer, keep) }
      case 'reused':
        return { outcome: 'reused' }
      case 'answered':
        return { outcome: 'repeat', answer: () => Promise.resolve(readAnswer(reply[1])) }
      case 'pending':
        return { outcome: 'repeat', answer: () => this.#wait(key, fingerprint, listener.answered) }
      default:
        return reply satisfies never
    }
  }

  /** Sends what could not be sent while Redis was unavailable. */
  async resume(): Promise<void> {
    const unsent = [...this.#unsent]
    this.#unsent.clear()
    await Promise.all(unsent.map(([own, { text, size }]) => this.#sendSettle(own, text, size)))
  }

  /** Handles the message of a server that has settled a request: its key, a line break, and the answer. */
  settled(message: string): void {
    const end = message.indexOf('\n')
    const key = message.slice(0, end)
    for (const resolve of this.#waiting.get(key) ?? []) resolve(message.slice(end + 1))
  }

  async #settle(own: OwnClaim, answer: CachedAnswer | undefined, keep: boolean): Promise<void> {
    const text = answer ? JSON.stringify(answer) : ''
    const bytes = ANSWER_OVERHEAD_BYTES + Buffer.byteLength(answer?.text ?? '')
    const isKept = keep && answer && bytes <= this.options.maxBytes
    await this.#sendSettle(own, text, isKept ? bytes : 0)
  }

  async #sendSettle(own: OwnClaim, text: string, size: number): Promise<void> {
    const { windowMs, maxBytes } = this.options
    const { key, fingerprint, id } = own
    try {
      await this.runner.run('settle', key, fingerprint, id, text, windowMs, size, maxBytes)
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      // The request has been executed. Its answer is sent when Redis is back, for those who repeat it.
      this.#unsent.set(own, { text, size })
    }
  }

  /** Resolves with undefined if the answer cannot be repeated, or does not exist any more. */
  async #wait(
    key: string,
    fingerprint: string,
    answered: Promise<string | undefined>,
  ): Promise<CachedAnswer | undefined> {
    const text = await answered
    if (text !== undefined) return readAnswer(text)
    const { answered: answeredLater, cancel } = this.#listenForAnswer(key)
    const found = await this.#lookUp(newClaim(key, fingerprint))
    if (found === 'pending') return this.#wait(key, fingerprint, answeredLater)
    cancel()
    return found
  }

  /** Returns what a claim finds, without keeping a claim. */
  async #lookUp(own: OwnClaim): Promise<CachedAnswer | 'pending' | undefined> {
    const reply = await this.#runClaim(own)
    if (reply[0] === 'answered') return readAnswer(reply[1])
    if (reply[0] === 'pending') return 'pending'
    // The request is not executed any more. Give back the claim that this lookup made; the caller claims again.
    if (reply[0] === 'first') await this.#settle(own, undefined, false)
    return undefined
  }

  async #runClaim(own: OwnClaim): Promise<ClaimReply> {
    const { key, fingerprint, id } = own
    try {
      const reply = await this.runner.run('claim', key, fingerprint, id, PENDING_MS)
      return reply as unknown as ClaimReply
    } catch (error) {
      // Redis may have made the claim although nobody will execute the request: give it back later.
      if (error instanceof StoreUnavailable && error.cause !== undefined)
        this.#unsent.set(own, { text: '', size: 0 })
      throw error
    }
  }

  /** Waits for the answer that a server sends for the key; resolves with undefined if none comes in time. */
  #listenForAnswer(key: string) {
    let resolve!: (text: string | undefined) => void
    const promise = new Promise<string | undefined>((onAnswer) => (resolve = onAnswer))
    const timer = setTimeout(() => resolve(undefined), LOOKUP_INTERVAL_MS).unref()
    const waiting = this.#waiting.get(key) ?? new Set()
    this.#waiting.set(key, waiting.add(resolve))
    const forget = (): void => {
      clearTimeout(timer)
      waiting.delete(resolve)
      if (waiting.size === 0 && this.#waiting.get(key) === waiting) this.#waiting.delete(key)
    }
    return { answered: promise.finally(forget), cancel: () => resolve(undefined) }
  }
}

const newClaim = (key: string, fingerprint: string): OwnClaim => ({
  key,
  fingerprint,
  id: crypto.randomUUID(),
})

const readAnswer = (text: string): CachedAnswer | undefined =>
  text === '' ? undefined : (JSON.parse(text) as CachedAnswer)
