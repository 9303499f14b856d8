/** The guarantees of every `IdempotencyCache`. */
import { describe, expect, it } from 'vitest'
import { ANSWER_OVERHEAD_BYTES } from '../../src/store/idempotency-cache.ts'
import { within } from '../helpers/http.ts'
import type {
  CachedAnswer,
  IdempotencyCache,
  Claim,
  Settle,
} from '../../src/store/idempotency-cache.ts'
import type { Awaitable } from '../../src/store/store.ts'

export const anAnswer = (text = '[]'): CachedAnswer => ({ status: 200, text })

/** Claims the key. Throws if another request has claimed it. */
export async function begin(
  answers: IdempotencyCache,
  key: string,
  fingerprint = 'f',
): Promise<Settle> {
  const claim = await answers.claim(key, fingerprint)
  if (claim.outcome !== 'first') throw new Error(`${key} is not first, but ${claim.outcome}`)
  return claim.settle
}

/** Returns the answer to a repeat. Throws if the key is new. */
export function answerIn(claim: Claim): Promise<CachedAnswer | undefined> {
  if (claim.outcome !== 'repeat') throw new Error(`not a repeat, but ${claim.outcome}`)
  return within(claim.answer(), 'the answer to a repeat')
}

interface Wishes {
  readonly windowMs: number
  readonly maxBytes: number
}

/** Creates an empty cache. */
export type OpenAnswers = (wishes: Wishes) => Awaitable<IdempotencyCache>

const ROOMY = { windowMs: 10_000, maxBytes: 1_000_000 }
const TEXT = 'x'.repeat(100)
/** Bytes counted for an answer with this text. */
const ONE = ANSWER_OVERHEAD_BYTES + TEXT.length

async function remember(answers: IdempotencyCache, key: string, text = TEXT): Promise<void> {
  await (
    await begin(answers, key)
  )(anAnswer(text), true)
}

export function answersContract(name: string, openWith: OpenAnswers): void {
  const open = () => openWith(ROOMY)
  const outcomesOf = async (answers: IdempotencyCache, ...keys: string[]) => {
    const outcomes: string[] = []
    for (const key of keys) outcomes.push((await answers.claim(key, 'f')).outcome)
    return outcomes
  }

  describe(`memory of answers: ${name}`, () => {
    it('lets one of many requests with a key be first', async () => {
      const answers = await open()
      const claims = await Promise.all([1, 2, 3].map(async () => answers.claim('k', 'f')))
      expect(claims.map(({ outcome }) => outcome).toSorted()).toEqual(['first', 'repeat', 'repeat'])
    })

    it('gives the answer to those who waited for it, and to those who come later', async () => {
      const answers = await open()
      const settle = await begin(answers, 'k')
      const early = await answers.claim('k', 'f')
      const answer = { status: 500, text: '{"request":"Internal error"}', error: 'INTERNAL' }
      await settle(answer, true)
      expect(await answerIn(early)).toEqual(answer)
      expect(await answerIn(await answers.claim('k', 'f'))).toEqual(answer)
    })

    it('tells a key that belongs to another request, answered or not', async () => {
      const answers = await open()
      const settle = await begin(answers, 'k')
      expect(await answers.claim('k', 'other')).toEqual({ outcome: 'reused' })
      await settle(anAnswer(), true)
      expect(await answers.claim('k', 'other')).toEqual({ outcome: 'reused' })
    })

    it('gives an answer that is not kept to those who waited, and lets the next be first', async () => {
      const answers = await open()
      const settle = await begin(answers, 'k')
      const early = await answers.claim('k', 'f')
      await settle({ status: 422, text: '{}' }, false)
      expect(await answerIn(early)).toMatchObject({ status: 422 })
      await begin(answers, 'k', 'other')
    })

    it('lets those who waited ask anew, if there is no answer to give again', async () => {
      const answers = await open()
      const settle = await begin(answers, 'k')
      const early = await answers.claim('k', 'f')
      await settle(undefined, true)
      expect(await answerIn(early)).toBeUndefined()
      await begin(answers, 'k')
    })

    it('forgets the oldest when all of them together are too large', async () => {
      const answers = await openWith({ ...ROOMY, maxBytes: 2 * ONE })
      for (const key of ['a', 'b', 'c']) await remember(answers, key)
      expect(await outcomesOf(answers, 'b', 'c', 'a')).toEqual(['repeat', 'repeat', 'first'])
    })

    it('does not make room for one that is larger than all there is', async () => {
      const answers = await openWith({ ...ROOMY, maxBytes: 2 * ONE })
      await remember(answers, 'small')
      await remember(answers, 'large', 'x'.repeat(3 * ONE))
      expect(await outcomesOf(answers, 'small', 'large')).toEqual(['repeat', 'first'])
    })

    it('holds empty texts within the same bounds', async () => {
      const answers = await openWith({ ...ROOMY, maxBytes: 10 * ANSWER_OVERHEAD_BYTES })
      const keys = Array.from({ length: 30 }, (_, index) => `k:${index}`)
      for (const key of keys) await remember(answers, key, '')
      const outcomes = await outcomesOf(answers, ...keys.toReversed())
      expect(outcomes).toEqual(keys.map((_, index) => (index < 10 ? 'repeat' : 'first')))
    })

    it('keeps nothing with a window of 0, but answers those who wait', async () => {
      const answers = await openWith({ ...ROOMY, windowMs: 0 })
      const settle = await begin(answers, 'k')
      const early = await answers.claim('k', 'f')
      await settle(anAnswer(), true)
      expect(await answerIn(early)).toEqual(anAnswer())
      expect(await outcomesOf(answers, 'k')).toEqual(['first'])
    })
  })
}
