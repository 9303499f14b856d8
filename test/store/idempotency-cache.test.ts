import { describe, expect, it } from 'vitest'
import { ANSWER_OVERHEAD_BYTES } from '../../src/store/idempotency-cache.ts'
import { MemoryIdempotencyCache } from '../../src/store/memory/idempotency-cache.ts'
import { anAnswer, answerIn, answersContract, begin } from '../contract/idempotency-cache.ts'
import { ManualClock } from '../helpers/clock.ts'

const WINDOW_MS = 1000
const TEXT = 'x'.repeat(100)
const ONE = ANSWER_OVERHEAD_BYTES + TEXT.length

function open(maxBytes = 10 * ONE, windowMs = WINDOW_MS) {
  const clock = new ManualClock()
  return { clock, answers: new MemoryIdempotencyCache(clock, { windowMs, maxBytes }) }
}

async function remember(answers: MemoryIdempotencyCache, key: string, text = TEXT): Promise<void> {
  await (
    await begin(answers, key)
  )(anAnswer(text), true)
}

answersContract('in this process', ({ maxBytes, windowMs }) => open(maxBytes, windowMs).answers)

describe('answers in the memory of this process', () => {
  it('are forgotten when the window is over, and give their memory back', async () => {
    const { clock, answers } = open()
    await remember(answers, 'k')
    await clock.advance(WINDOW_MS - 1)
    expect(answers.claim('k', 'f').outcome).toBe('repeat')
    await clock.advance(1)
    expect(answers.claim('other', 'f').outcome).toBe('first')
    expect(answers.bytes).toBe(0)
    expect(answers.claim('k', 'f').outcome).toBe('first')
  })

  it('are waited for as long as it takes', async () => {
    const { clock, answers } = open()
    const settle = await begin(answers, 'k')
    await clock.advance(10 * WINDOW_MS)
    const claim = answers.claim('k', 'f')
    await settle(anAnswer(), true)
    expect(await answerIn(claim)).toEqual(anAnswer())
  })

  it('count what they hold', async () => {
    const { answers } = open(2 * ONE)
    for (const key of ['a', 'b', 'c']) await remember(answers, key)
    expect(answers.bytes).toBe(2 * ONE)
  })
})
