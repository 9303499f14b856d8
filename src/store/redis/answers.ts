import { ANSWER_OVERHEAD_BYTES } from '../answers.ts'
import { inBackground } from '../../lib/in-background.ts'
import { StoreAway } from '../store.ts'
import type { Answer, Answers, Claim } from '../answers.ts'
import type { Installation } from './installation.ts'

export interface RedisAnswersOptions {
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

/** Answers in Redis, for all servers of the installation. */
export class RedisAnswers implements Answers {
  /** Requests that are being done somewhere, and what is to be called with their answer. */
  readonly #waiting = new Map<string, Set<(text: string | undefined) => void>>()

  constructor(
    private readonly installation: Installation,
    private readonly options: RedisAnswersOptions,
    private readonly onFault: (error: unknown) => void,
  ) {}

  async claim(key: string, fingerprint: string): Promise<Claim> {
    // Listens first: the answer may come before the reply that says that there will be one.
    const notice = this.#notice(key)
    const reply = await this.#ask(key, fingerprint).catch((error: unknown) => {
      notice.cancel()
      throw error
    })
    if (reply[0] !== 'pending') notice.cancel()
    switch (reply[0]) {
      case 'first':
        return {
          outcome: 'first',
          settle: (answer, keep) => this.#settle(key, fingerprint, answer, keep),
        }
      case 'reused':
        return { outcome: 'reused' }
      case 'answered':
        return { outcome: 'repeat', answer: () => Promise.resolve(readAnswer(reply[1])) }
      case 'pending':
        return { outcome: 'repeat', answer: () => this.#wait(key, fingerprint, notice.told) }
      default:
        return reply satisfies never
    }
  }

  /** A server says that a request is answered: its key, a line, and the answer. */
  settled(message: string): void {
    const end = message.indexOf('\n')
    const key = message.slice(0, end)
    for (const tell of this.#waiting.get(key) ?? []) tell(message.slice(end + 1))
  }

  async #settle(
    key: string,
    fingerprint: string,
    answer: Answer | undefined,
    keep: boolean,
  ): Promise<void> {
    const text = answer ? JSON.stringify(answer) : ''
    const { windowMs, maxBytes } = this.options
    const bytes = ANSWER_OVERHEAD_BYTES + Buffer.byteLength(answer?.text ?? '')
    const isKept = keep && answer && bytes <= maxBytes
    try {
      const size = isKept ? bytes : 0
      await this.installation.run('settle', key, fingerprint, text, windowMs, size, maxBytes)
    } catch (error) {
      if (!(error instanceof StoreAway)) throw error
      // What was asked for is done. Its answer is kept when the store is back; until then a repeat finds no store either.
      const again = (): void =>
        inBackground(this.#settle(key, fingerprint, answer, keep), this.onFault)
      setTimeout(again, LOOK_MS).unref()
    }
  }

  /** Undefined: it cannot be given again, or is not there any more. */
  async #wait(
    key: string,
    fingerprint: string,
    told: Promise<string | undefined>,
  ): Promise<Answer | undefined> {
    const text = await told
    if (text !== undefined) return readAnswer(text)
    const { told: toldLater, cancel } = this.#notice(key)
    const found = await this.#look(key, fingerprint)
    if (found === 'pending') return this.#wait(key, fingerprint, toldLater)
    cancel()
    return found
  }

  /** What a claim would find, without making one. */
  async #look(key: string, fingerprint: string): Promise<Answer | 'pending' | undefined> {
    const reply = await this.#ask(key, fingerprint)
    if (reply[0] === 'answered') return readAnswer(reply[1])
    if (reply[0] === 'pending') return 'pending'
    // Nobody does it any more. What was claimed by looking is given back; whoever asked claims anew.
    if (reply[0] === 'first') await this.#settle(key, fingerprint, undefined, false)
    return undefined
  }

  async #ask(key: string, fingerprint: string): Promise<ClaimReply> {
    const reply = await this.installation.run('claim', key, fingerprint, PENDING_MS)
    return reply as unknown as ClaimReply
  }

  /** What a server says of the key before long; undefined if none does. */
  #notice(key: string) {
    let told!: (text: string | undefined) => void
    const promise = new Promise<string | undefined>((resolve) => (told = resolve))
    const timer = setTimeout(() => told(undefined), LOOK_MS).unref()
    const waiting = this.#waiting.get(key) ?? new Set()
    this.#waiting.set(key, waiting.add(told))
    const forget = (): void => {
      clearTimeout(timer)
      waiting.delete(told)
      if (waiting.size === 0 && this.#waiting.get(key) === waiting) this.#waiting.delete(key)
    }
    return { told: promise.finally(forget), cancel: () => told(undefined) }
  }
}

const readAnswer = (text: string): Answer | undefined =>
  text === '' ? undefined : (JSON.parse(text) as Answer)
