import { ANSWER_OVERHEAD_BYTES } from '../idempotency-cache.ts'
import { StoreUnavailable } from '../store.ts'
import type { CachedAnswer, IdempotencyCache, Claim } from '../idempotency-cache.ts'
import type { ScriptRunner } from './script-runner.ts'

export interface RedisIdempotencyCacheOptions {
  /** How long an answer is remembered. 0: only those who wait for it get it. */
  readonly windowMs: number
  /** Of all answers of the installation; an answer counts with `ANSWER_OVERHEAD_BYTES` more than its text. */
  readonly maxBytes: number
}

/** A request that takes longer than this is not waited for any more. */
const PENDING_MS = 120_000
/** Whoever waits looks for itself from time to time: what it was to be told may have been lost. */
const LOOK_MS = 2000

type ClaimReply =
  | readonly ['first' | 'reused']
  | readonly ['answered', string]
  | readonly ['pending', server: string]

/** A request that this server has asked to be the first of its key with. */
interface OwnClaim {
  readonly key: string
  readonly fingerprint: string
  /** Tells it apart from all other claims of the key. */
  readonly id: string
}

/** Answers in Redis, for all servers of the installation. */
export class RedisIdempotencyCache implements IdempotencyCache {
  /** What Redis is told of a claim when it is back. Until then whoever repeats the request finds no store either. */
  readonly #unsent = new Map<OwnClaim, { readonly text: string; readonly size: number }>()
  /** Requests that are being done somewhere, and what is to be called with their answer. */
  readonly #waiting = new Map<string, Set<(text: string | undefined) => void>>()

  constructor(
    private readonly runner: ScriptRunner,
    private readonly options: RedisIdempotencyCacheOptions,
  ) {}

  async claim(key: string, fingerprint: string): Promise<Claim> {
    const own = newClaim(key, fingerprint)
    // Listens first: the answer may come before the reply that says that there will be one.
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

  /** Redis is back: it is told what it could not be told. */
  async resume(): Promise<void> {
    const unsent = [...this.#unsent]
    this.#unsent.clear()
    await Promise.all(unsent.map(([own, { text, size }]) => this.#sendSettle(own, text, size)))
  }

  /** A server says that a request is answered: its key, a line, and the answer. */
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
      // What was asked for is done, and its answer is owed to those who repeat the request.
      this.#unsent.set(own, { text, size })
    }
  }

  /** Undefined: it cannot be given again, or is not there any more. */
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

  /** What a claim would find, without making one. */
  async #lookUp(own: OwnClaim): Promise<CachedAnswer | 'pending' | undefined> {
    const reply = await this.#runClaim(own)
    if (reply[0] === 'answered') return readAnswer(reply[1])
    if (reply[0] === 'pending') return 'pending'
    // Nobody does it any more. What was claimed by looking is given back; whoever asked claims anew.
    if (reply[0] === 'first') await this.#settle(own, undefined, false)
    return undefined
  }

  async #runClaim(own: OwnClaim): Promise<ClaimReply> {
    const { key, fingerprint, id } = own
    try {
      const reply = await this.runner.run('claim', key, fingerprint, id, PENDING_MS)
      return reply as unknown as ClaimReply
    } catch (error) {
      // Redis may have been asked and have made the claim, though nobody does what it was made for.
      if (error instanceof StoreUnavailable && error.cause !== undefined)
        this.#unsent.set(own, { text: '', size: 0 })
      throw error
    }
  }

  /** What a server says of the key before long; undefined if none does. */
  #listenForAnswer(key: string) {
    let answered!: (text: string | undefined) => void
    const promise = new Promise<string | undefined>((resolve) => (answered = resolve))
    const timer = setTimeout(() => answered(undefined), LOOK_MS).unref()
    const waiting = this.#waiting.get(key) ?? new Set()
    this.#waiting.set(key, waiting.add(answered))
    const forget = (): void => {
      clearTimeout(timer)
      waiting.delete(answered)
      if (waiting.size === 0 && this.#waiting.get(key) === waiting) this.#waiting.delete(key)
    }
    return { answered: promise.finally(forget), cancel: () => answered(undefined) }
  }
}

const newClaim = (key: string, fingerprint: string): OwnClaim => ({
  key,
  fingerprint,
  id: crypto.randomUUID(),
})

const readAnswer = (text: string): CachedAnswer | undefined =>
  text === '' ? undefined : (JSON.parse(text) as CachedAnswer)
