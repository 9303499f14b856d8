import { describe, expect, it } from 'vitest'
import { count } from '../../../src/core/queries/counts.ts'
import { PagedList, PagedRecord } from '../../../src/core/queries/paged-answer.ts'
import { CountsRequest } from '../../../src/protocol/info-requests.ts'
import { MemoryStore } from '../../../src/store/memory/store.ts'
import { connect, settingsMap } from '../../contract/fixtures.ts'
import { ManualClock } from '../../helpers/clock.ts'
import { asWritten, neverYield } from '../../helpers/paged-answers.ts'
import { STORE_OPTIONS } from '../fixtures.ts'
import type { z } from 'zod'
import type { Store } from '../../../src/store/store.ts'

const range = (length: number, prefix: string): string[] =>
  Array.from({ length }, (_, index) => `${prefix}${index}`)

const countIn = (store: Store, request: z.input<typeof CountsRequest>, maybeYield = neverYield) =>
  count({ store, maybeYield }, CountsRequest.parse(request))

async function open() {
  const store: Store = new MemoryStore(new ManualClock(), STORE_OPTIONS)
  await connect(store, 'Ann', { id: 1, channels: ['room', '\u{1F600}'] })
  await connect(store, 'Ann', { id: 2, channels: ['room', '\uFFFD'] })
  await connect(store, 'bob', { id: 3, channels: ['__proto__'] })
  await connect(store, 'cem', { id: 4 })
  await store.configure(settingsMap({ empty: {} }))
  const asked = async (request: z.input<typeof CountsRequest>) =>
    asWritten(await countIn(store, request))
  return { store, asked }
}

const totals = (total_connections: number, total_users: number) => ({
  total_connections,
  total_users,
})

describe('counts', () => {
  it('are totals of the channels that are named, without unknown ones', async () => {
    const { asked } = await open()
    expect(await asked({ counts: true, channels: ['room', 'typo', 'empty', 'room'] })).toEqual({
      channels: { room: totals(2, 1), empty: totals(0, 0) },
    })
    expect(await asked({ counts: true, channels: [] })).toEqual({ channels: {} })
  })

  it('are totals of all channels if none are named, whatever they are called', async () => {
    const { store } = await open()
    const { channels } = await countIn(store, { counts: true })
    expect(JSON.stringify(channels)).toBe(
      '{"room":{"total_connections":2,"total_users":1},' +
        '"\u{1F600}":{"total_connections":1,"total_users":1},' +
        '"\uFFFD":{"total_connections":1,"total_users":1},' +
        '"__proto__":{"total_connections":1,"total_users":1},' +
        '"empty":{"total_connections":0,"total_users":0}}',
    )
  })

  it('come with users only if both are asked for', async () => {
    const { asked } = await open()
    const users = [{ user: 'bob', total_connections: 1, channels: ['__proto__'] }]
    expect(await asked({ users: ['bob'] })).toEqual({ users })
    expect(await asked({ counts: true, channels: ['empty'], users: ['bob'] })).toEqual({
      channels: { empty: totals(0, 0) },
      users,
    })
    expect(await asked({ counts: false, users: [] })).toEqual({ users: [] })
  })

  it('of many channels are the same, in pages', async () => {
    const { store, asked } = await open()
    const names = range(3_500, 'c')
    await store.configure(settingsMap(Object.fromEntries(names.map((name) => [name, {}]))))
    const request = { counts: true, channels: ['typo', ...names, 'room'] }
    expect((await countIn(store, request)).channels).toBeInstanceOf(PagedRecord)
    const { channels } = (await asked(request)) as { channels: object }
    expect(Object.keys(channels)).toEqual([...names, 'room'])
    expect(channels).toMatchObject({ room: totals(2, 1), c3499: totals(0, 0) })
  })
})

describe('users that are online', () => {
  it('are those with a connection, each once, with all their channels by code point', async () => {
    const { asked } = await open()
    expect(await asked({ users: ['cem', 'nobody', 'Ann', 'cem'] })).toEqual({
      users: [
        { user: 'cem', total_connections: 1, channels: [] },
        { user: 'Ann', total_connections: 2, channels: ['room', '\uFFFD', '\u{1F600}'] },
      ],
    })
  })

  it('are told in pages if many are asked for', async () => {
    const { store, asked } = await open()
    const request = { users: [...range(450, 'nobody '), 'bob', ...range(450, 'none '), 'cem'] }
    expect((await countIn(store, request)).users).toBeInstanceOf(PagedList)
    expect(await asked(request)).toEqual({
      users: [
        { user: 'bob', total_connections: 1, channels: ['__proto__'] },
        { user: 'cem', total_connections: 1, channels: [] },
      ],
    })
  })

  it('with many connections and channels are told whole, with breaths in between', async () => {
    const { store } = await open()
    const connections = 600
    for (let id = 10; id < 10 + connections; id++)
      await connect(store, 'many', { id, channels: range(4, `c${id % 500} `) })
    let breaths = 0
    const maybeYield = () => Promise.resolve(void breaths++)
    const answer = await countIn(store, { users: ['many', 'bob'] }, maybeYield)
    const { users } = (await asWritten(answer)) as { users: { channels: string[] }[] }
    expect(users).toHaveLength(2)
    expect(users[0]).toMatchObject({ user: 'many', total_connections: connections })
    expect(users[0]?.channels).toHaveLength(2_000)
    expect(users[0]?.channels).toEqual(users[0]?.channels.toSorted())
    expect(breaths).toBeGreaterThan(connections)
  })
})
