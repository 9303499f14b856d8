import { describe, expect, it } from 'vitest'
import { readHistory } from '../../../src/core/queries/history.ts'
import { PagedList } from '../../../src/core/queries/paged-answer.ts'
import { HistoryRequest } from '../../../src/protocol/history.ts'
import { MemoryStore } from '../../../src/store/memory/store.ts'
import { edit, message, retraction, settingsMap, uuidOf } from '../../contract/fixtures.ts'
import { ManualClock } from '../../helpers/clock.ts'
import { asWritten, neverYield } from '../../helpers/paged-answers.ts'
import { STORE_OPTIONS } from '../fixtures.ts'
import type { HistoryResponse } from '../../../src/protocol/responses.ts'
import type { EventWishes } from '../../contract/fixtures.ts'

async function open(count: number, wishes: (number: number) => EventWishes = () => ({})) {
  const store = new MemoryStore(new ManualClock(), STORE_OPTIONS)
  const room = { store_history: true, history_size: 10_000 }
  store.configure(settingsMap({ room }))
  const texts = Array.from({ length: count }, (_, index) => String(index + 1))
  await store.publish(
    texts.map((text, index) =>
      message('room', { text, uuid: uuidOf(index + 1), ...wishes(index + 1) }),
    ),
  )
  const idOf = (number: number): string => `${store.epoch}-${number}`
  const read = async (request: object) => {
    const answer = await readHistory(
      { store, maybeYield: neverYield },
      HistoryRequest.parse({ channel: 'room', ...request }),
    )
    return { answer, written: (await asWritten(answer)) as HistoryResponse }
  }
  const page = async (request: object) => {
    const { history, more } = (await read(request)).written
    const shown = history.map((item) => (item.message as { text: string } | undefined)?.text)
    return [shown.join(), more]
  }
  return { store, idOf, read, page }
}

describe('a page of a history', () => {
  it('has the messages after an id or before one, and the oldest or the newest without one', async () => {
    const { page, idOf } = await open(9)
    expect(await page({ limit: 3 })).toEqual(['1,2,3', true])
    expect(await page({ limit: 3, reverse: true })).toEqual(['9,8,7', true])
    expect(await page({ limit: 3, after: idOf(3) })).toEqual(['4,5,6', true])
    expect(await page({ limit: 3, after: idOf(6) })).toEqual(['7,8,9', false])
    expect(await page({ limit: 3, after: idOf(3), reverse: true })).toEqual(['6,5,4', true])
    expect(await page({ limit: 3, before: idOf(7) })).toEqual(['4,5,6', true])
    expect(await page({ limit: 3, before: idOf(7), reverse: true })).toEqual(['6,5,4', true])
    expect(await page({ limit: 3, before: idOf(3) })).toEqual(['1,2', false])
    expect(await page({ limit: 9 })).toEqual(['1,2,3,4,5,6,7,8,9', false])
    expect(await page({ after: idOf(9) })).toEqual(['', false])
    expect(await page({ before: idOf(1) })).toEqual(['', false])
    expect(await page({ after: idOf(2 ** 53 - 1) })).toEqual(['', false])
    expect(await page({ before: idOf(2 ** 53 - 1), limit: 1 })).toEqual(['9', true])
  })

  it('begins in the right place if the message of the id is gone', async () => {
    const { store, page, idOf } = await open(5)
    await store.publish([retraction('room', { uuid: uuidOf(3) })])
    expect(await page({ after: idOf(3) })).toEqual(['4,5', false])
    expect(await page({ before: idOf(3) })).toEqual(['1,2', false])
  })

  it('shows an edit, under the id of the message', async () => {
    const { store, read, idOf } = await open(3)
    await store.publish([edit('room', { uuid: uuidOf(2), text: 'two' })])
    const { written } = await read({})
    expect(written.history[1]).toMatchObject({
      id: idOf(2),
      uuid: uuidOf(2),
      message: { text: 'two' },
      edited: '2030-01-01T00:01:00.000000',
    })
  })

  it('is refused for an unknown channel, both bounds, and ids of a lost epoch', async () => {
    const { page, idOf } = await open(1)
    await expect(page({ channel: 'nowhere' })).rejects.toMatchObject({
      code: 'INVALID',
      complaints: { channel: ['Unknown channel'] },
    })
    await expect(page({ before: idOf(1), after: idOf(1) })).rejects.toMatchObject({
      code: 'INVALID',
      complaints: { before: ['Not together with after.'] },
    })
    for (const bound of ['before', 'after'])
      await expect(page({ [bound]: 'other-1' })).rejects.toMatchObject({ code: 'OUTDATED_ID' })
  })

  it('has everything for a backend, and for a user what this user may see, without the names of others', async () => {
    const { read, page } = await open(600, (number) => {
      if (number % 3 === 0) return { pmUsers: ['bob', 'ann'] }
      return number % 3 === 1 ? { pmUsers: ['bob'] } : { excludeUsers: ['cem'] }
    })
    const all = (await read({ limit: 600 })).written.history
    expect(all).toHaveLength(600)
    expect(all.slice(0, 3).map((item) => [item.pm_users, item.exclude_users])).toEqual([
      [['bob'], []],
      [[], ['cem']],
      [['bob', 'ann'], []],
    ])
    const { history } = (await read({ limit: 4, username: 'ann' })).written
    expect(history.map((item) => [item.pm_users, item.exclude_users])).toEqual([
      [[], []],
      [['ann'], []],
      [[], []],
      [['ann'], []],
    ])
    expect(await page({ limit: 3, username: 'cem', reverse: true })).toEqual(['', false])
    expect((await read({ limit: 200, username: 'bob' })).written).toMatchObject({ more: true })
  })

  it('is full for a user who may see few messages, and says truly if there are more', async () => {
    const { page } = await open(2_000, (number) =>
      number === 7 || number === 1_500 ? {} : { pmUsers: ['bob'] },
    )
    expect(await page({ limit: 2, username: 'ann' })).toEqual(['7,1500', false])
    expect(await page({ limit: 1, username: 'ann' })).toEqual(['7', true])
    expect(await page({ limit: 1, username: 'ann', reverse: true })).toEqual(['1500', true])
  })

  it('has fewer messages than its limit if they are large, but at least one', async () => {
    const { read } = await open(20, () => ({ more: { filler: 'x'.repeat(300_000) } }))
    const { answer, written } = await read({ limit: 20 })
    expect(answer.history).toBeInstanceOf(PagedList)
    expect([written.history.length, written.more]).toEqual([3, true])
    const huge = await open(2, () => ({ more: { filler: 'x'.repeat(3_000_000) } }))
    const first = (await huge.read({ limit: 20 })).written
    expect([first.history.length, first.more]).toEqual([1, true])
    const rest = (await huge.read({ limit: 20, after: first.history[0]?.id })).written
    expect([rest.history.length, rest.more]).toEqual([1, false])
  })

  it('is walked completely, whatever the limit and the direction', async () => {
    const { read } = await open(700)
    for (const [limit, reverse] of [
      [1_000, false],
      [7, false],
      [7, true],
      [250, true],
    ] as const) {
      const numbers: number[] = []
      for (let [at, more] = [{}, true]; more;) {
        const { history, more: isMore } = (await read({ limit, reverse, ...at })).written
        numbers.push(...history.map((item) => Number((item.message as { text: string }).text)))
        at = { [reverse ? 'before' : 'after']: history.at(-1)?.id }
        more = isMore
      }
      const expected = Array.from({ length: 700 }, (_, index) => index + 1)
      expect(numbers).toEqual(reverse ? expected.reverse() : expected)
    }
  })
})
