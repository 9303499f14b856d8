import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PagedList, PagedRecord, pagesOf } from '../../../src/core/queries/paged-answer.ts'
import { byCodePoint } from '../../../src/lib/code-points.ts'
import { sortCooperatively } from '../../../src/lib/cooperative-sort.ts'
import { createYielder } from '../../../src/lib/yielder.ts'
import { ManualClock } from '../../helpers/clock.ts'
import { asWritten, neverYield } from '../../helpers/paged-answers.ts'

/** A clock that advances two milliseconds each time it is read. */
class HurriedClock extends ManualClock {
  turns = 0
  #looked = 0

  override now(): number {
    return (this.#looked += 2)
  }

  override soon(task: () => void): void {
    this.turns++
    setImmediate(task)
  }
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

describe('long work', () => {
  it('lets others have their turn again and again, and not at each step', async () => {
    const clock = new HurriedClock()
    const maybeYield = createYielder(clock)
    for (let step = 0; step < 100; step++) await maybeYield()
    expect(clock.turns).toBeGreaterThan(10)
    expect(clock.turns).toBeLessThan(50)
  })

  it('shares its time with other long work', async () => {
    let [now, turns] = [0, 0]
    const clock = Object.assign(new ManualClock(), {
      now: () => now,
      soon: (task: () => void) => void setImmediate(task),
    })
    const maybeYield = createYielder(clock)
    let longest = 0
    let since = 0
    const endOfTurn = (): void => {
      longest = Math.max(longest, now - since)
      since = now
      turns++
    }
    const work = async (): Promise<void> => {
      for (let step = 0; step < 50; step++) {
        now++
        await maybeYield()
      }
    }
    let isDone = false
    const all = Promise.all(numbers(5).map(work)).then(() => (isDone = true))
    while (!isDone) {
      await new Promise((resolve) => setImmediate(resolve))
      endOfTurn()
    }
    await all
    expect(turns).toBeGreaterThan(10)
    expect(longest).toBeLessThanOrEqual(8 + 2 * 5)
  })

  it('sorts as toSorted does', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'binary', maxLength: 3 }), { maxLength: 50 }),
        fc.integer({ min: 1, max: 400 }),
        async (some, times) => {
          const list = Array.from({ length: times }, () => some).flat()
          expect(await sortCooperatively(list, byCodePoint, neverYield)).toEqual(
            [...list].sort(byCodePoint),
          )
        },
      ),
      { numRuns: 40 },
    )
  })

  it('sorts a long list with breaths in between, and keeps equals in their places', async () => {
    let breaths = 0
    const maybeYield = () => Promise.resolve(void breaths++)
    const list = numbers(30_000).map((n) => ({ key: (n * 7919) % 100, n }))
    const order = (one: { key: number }, other: { key: number }): number => one.key - other.key
    expect(await sortCooperatively(list, order, maybeYield)).toEqual([...list].sort(order))
    expect(breaths).toBeGreaterThan(30)
  })
})

describe('long answers', () => {
  const listOf = (items: readonly unknown[], size = 3) =>
    new PagedList(pagesOf(items, size, neverYield))
  const recordOf = (entries: Readonly<Record<string, unknown>>, size = 3) =>
    new PagedRecord(pagesOf(Object.entries(entries), size, neverYield))

  it('are written like lists and objects, wherever they are', async () => {
    const inner = { plain: [1, 'two'], users: listOf(numbers(10)), left: undefined }
    const answer = {
      a: 'b',
      nothing: undefined,
      empty: listOf([]),
      emptyRecord: recordOf({}),
      channels: recordOf({ one: inner, 'two "quoted"\n': { ...inner, users: listOf(['x']) } }, 1),
      nested: { deeper: { list: listOf([null, true, { a: 1 }]) } },
    }
    const plain = { plain: [1, 'two'], users: numbers(10) }
    expect(await asWritten(answer)).toEqual({
      a: 'b',
      empty: [],
      emptyRecord: {},
      channels: { one: plain, 'two "quoted"\n': { ...plain, users: ['x'] } },
      nested: { deeper: { list: [null, true, { a: 1 }] } },
    })
  })

  it('are read page by page, no faster than they are written', async () => {
    let read = 0
    async function* pages() {
      for (;;) {
        await Promise.resolve()
        read++
        yield ['x'.repeat(10_000)]
      }
    }
    const { streamPagedAnswers } = await import('../../../src/http/json-stream.ts')
    const write = streamPagedAnswers(neverYield)({} as never) as unknown as (
      answer: unknown,
    ) => AsyncIterableIterator<string>
    const iterator = write({ list: new PagedList(pages()) })[Symbol.asyncIterator]()
    await iterator.next()
    await new Promise((resolve) => setImmediate(resolve))
    expect(read).toBeLessThan(30)
    await iterator.return?.()
  })
})
