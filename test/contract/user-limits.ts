import { describe, expect, it } from 'vitest'
import { RateExceeded, TooManyChannels } from '../../src/store/user-limits.ts'
import {
  allChannels,
  channelName,
  channelNames,
  connIdOf,
  connect,
  connectFacts,
  message,
  settingsMap,
  userName,
  userNames,
} from './fixtures.ts'
import type { Store } from '../../src/store/store.ts'
import type { ChannelLimit, Charge } from '../../src/store/user-limits.ts'
import type { Bench, OpenBench } from './bench.ts'
import type { ConnectWishes } from './fixtures.ts'

const NO_SETTINGS = settingsMap({})
/** A token each half second. */
const RATE = { intervalMs: 500, burst: 3 }

const connectAtMost = (store: Store, maxConnections: number, id: number, user = 'ann') =>
  store.connect({ ...connectFacts(user, { id, channels: ['room'] }), maxConnections })

const connectInAtMost = (store: Store, maxChannels: number, wishes: ConnectWishes) =>
  store.connect({ ...connectFacts('ann', wishes), maxChannels })

const atMost = (maxChannels: number, ...unlimited: string[]): ChannelLimit => ({
  maxChannels,
  unlimited: userNames(...unlimited),
})

/** Joins. Returns the channels that were joined, or the user who is in too many. */
async function join(store: Store, id: number, limit: ChannelLimit, ...names: string[]) {
  try {
    const joined = await store.join(connIdOf(id), channelNames(...names), NO_SETTINGS, limit)
    return joined?.changed
  } catch (error) {
    if (error instanceof TooManyChannels) return `${error.user} is refused`
    throw error
  }
}
const REFUSED = 'ann is refused'

const charge = (tokens: number, channel: string | null = 'room', user = 'ann'): Charge => ({
  user: userName(user),
  channel: channel === null ? null : channelName(channel),
  tokens,
})

/** Publishes a message that takes these tokens. Returns what is refused, or undefined. */
async function post({ store }: Bench, charges: readonly Charge[], once?: string) {
  try {
    await store.publish([message('room')], once, { ...RATE, charges })
    return undefined
  } catch (error) {
    if (error instanceof RateExceeded) return error.refused
    throw error
  }
}

function connectionLimit(openBench: OpenBench): void {
  describe('a limit on connections', () => {
    it('lets a user have as many, and no more', async () => {
      const { store } = await openBench()
      for (const id of [1, 2]) expect((await connectAtMost(store, 2, id)).outcome).toBe('connected')
      expect(await connectAtMost(store, 2, 3)).toEqual({ outcome: 'too-many-connections' })
      expect((await connectAtMost(store, 2, 4, 'bob')).outcome).toBe('connected')
    })

    it('changes nothing if it refuses', async () => {
      const { store } = await openBench()
      await connectAtMost(store, 1, 1)
      const facts = connectFacts('ann', { id: 2, channels: ['new'], state: { a: 1 } })
      await store.connect({ ...facts, publicKeys: ['a'], maxConnections: 1 })
      expect(await store.hasConnection(connIdOf(2))).toBe(false)
      expect(await allChannels(store, { users: false, history: false })).toHaveLength(1)
      const [ann] = await store.users(userNames('ann'))
      expect(ann).toMatchObject({ state: {}, publicKeys: [] })
      expect(await store.figures()).toMatchObject({ connections: 1, channels: 1 })
    })

    it('does not count a connection that is made again', async () => {
      const { store } = await openBench()
      await connectAtMost(store, 1, 1)
      expect((await connectAtMost(store, 1, 1)).outcome).toBe('connected')
    })

    it('has room again when a connection ends', async () => {
      const { store } = await openBench()
      await connectAtMost(store, 1, 1)
      await store.drop(connIdOf(1))
      expect((await connectAtMost(store, 1, 2)).outcome).toBe('connected')
    })

    it('of zero is none', async () => {
      const { store } = await openBench()
      for (const id of [1, 2, 3]) await connect(store, 'ann', { id })
      expect((await connectAtMost(store, 0, 4)).outcome).toBe('connected')
    })

    it('lets one of several calls at once have the last place', async () => {
      const { store } = await openBench()
      const ids = Array.from({ length: 20 }, (_, index) => index + 1)
      const all = await Promise.all(ids.map(async (id) => connectAtMost(store, 5, id)))
      expect(all.filter(({ outcome }) => outcome === 'connected')).toHaveLength(5)
      expect(await store.figures()).toMatchObject({ connections: 5 })
    })
  })
}

function channelLimit(openBench: OpenBench): void {
  describe('a limit on channels', () => {
    it('lets a user be in as many, and no more, when it connects', async () => {
      const { store } = await openBench()
      const three = { channels: ['a', 'b', 'c'] }
      expect(await connectInAtMost(store, 2, three)).toEqual({ outcome: 'too-many-channels' })
      expect(await store.figures()).toMatchObject({ connections: 0, channels: 0, users: 0 })
      expect((await connectInAtMost(store, 3, three)).outcome).toBe('connected')
    })

    it('counts each channel once, over all connections', async () => {
      const { store } = await openBench()
      await connectInAtMost(store, 3, { id: 1, channels: ['a', 'b', 'b'] })
      const second = { id: 2, channels: ['b', 'c', 'a'] }
      expect((await connectInAtMost(store, 3, second)).outcome).toBe('connected')
      const third = { id: 3, channels: ['a', 'd'] }
      expect(await connectInAtMost(store, 3, third)).toEqual({ outcome: 'too-many-channels' })
      expect(await store.hasConnection(connIdOf(3))).toBe(false)
    })

    it('applies to channels that are joined later, all or none', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { channels: ['a'] })
      expect(await join(store, 1, atMost(2), 'b', 'c')).toBe(REFUSED)
      expect(await store.figures()).toMatchObject({ channels: 1 })
      expect(await join(store, 1, atMost(2), 'a', 'b')).toEqual(['b'])
      expect(await join(store, 1, atMost(2), 'a', 'b')).toEqual([])
      expect(await join(store, 1, atMost(2), 'c')).toBe(REFUSED)
      expect(await join(store, 1, atMost(2, 'bob'), 'c')).toBe(REFUSED)
      expect(await join(store, 1, atMost(2, 'bob', 'ann'), 'c')).toEqual(['c'])
      expect(await join(store, 1, atMost(0), 'd')).toEqual(['d'])
    })

    it('lets a user who is in more of them already stay, and join none', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { id: 1, channels: ['a', 'b', 'c'] })
      const second = { id: 2, channels: ['a'] }
      expect((await connectInAtMost(store, 2, second)).outcome).toBe('connected')
      expect(await join(store, 2, atMost(2), 'd')).toBe(REFUSED)
      expect(await join(store, 2, atMost(2), 'b')).toEqual(['b'])
    })

    it('has room again when the user has left a channel with all connections', async () => {
      const { store } = await openBench()
      for (const id of [1, 2]) await connectInAtMost(store, 2, { id, channels: ['a', 'b'] })
      await store.leave(connIdOf(1), channelNames('a'))
      expect(await join(store, 2, atMost(2), 'c')).toBe(REFUSED)
      await store.leave(connIdOf(2), channelNames('a'))
      expect(await join(store, 2, atMost(2), 'c')).toEqual(['c'])
      await store.drop(connIdOf(1))
      expect(await join(store, 2, atMost(2), 'd')).toBe(REFUSED)
      await store.drop(connIdOf(2))
      const third = { id: 3, channels: ['x', 'y'] }
      expect((await connectInAtMost(store, 2, third)).outcome).toBe('connected')
    })

    it('comes after the connection: an unknown one is unknown', async () => {
      const { store } = await openBench()
      expect(await join(store, 1, atMost(1), 'a', 'b')).toBeUndefined()
    })

    it('lets one of several calls at once have the last place', async () => {
      const { store } = await openBench()
      const ids = Array.from({ length: 20 }, (_, index) => index + 1)
      for (const id of ids) await connect(store, 'ann', { id })
      const all = await Promise.all(ids.map((id) => join(store, id, atMost(5), `c${id}`)))
      expect(all.filter((joined) => joined !== REFUSED)).toHaveLength(5)
    })
  })
}

function messageRate(openBench: OpenBench): void {
  describe('a rate of messages', () => {
    async function openRoom(): Promise<Bench> {
      const bench = await openBench()
      await bench.store.configure(settingsMap({ room: { store_history: true } }))
      return bench
    }

    it('lets a user post a burst, and then one for each token', async () => {
      const bench = await openRoom()
      for (let n = 0; n < 3; n++) expect(await post(bench, [charge(1)])).toBeUndefined()
      expect(await post(bench, [charge(1)])).toEqual([{ charge: 0, waitMs: 500 }])
      await bench.clock.advance(499)
      expect(await post(bench, [charge(1)])).toEqual([{ charge: 0, waitMs: 1 }])
      await bench.clock.advance(1)
      expect(await post(bench, [charge(1)])).toBeUndefined()
      expect(await post(bench, [charge(1)])).toEqual([{ charge: 0, waitMs: 500 }])
    })

    it('publishes nothing if it refuses, and takes no token', async () => {
      const bench = await openRoom()
      await post(bench, [charge(2)])
      for (let n = 0; n < 5; n++)
        expect(await post(bench, [charge(2)])).toEqual([{ charge: 0, waitMs: 500 }])
      expect(await post(bench, [charge(1)])).toBeUndefined()
      const [room] = await bench.store.channels(channelNames('room'), {
        users: false,
        history: true,
      })
      expect(room?.history).toHaveLength(2)
      expect(await bench.store.figures()).toMatchObject({ messages: 2 })
    })

    it('has a bucket for each user and channel, and one for no channel', async () => {
      const bench = await openRoom()
      const all = [
        charge(3),
        charge(3, 'other'),
        charge(3, 'room', 'bob'),
        charge(3, null),
        // With another name that ends where this one begins.
        charge(3, '3:bob:room', 'ann'),
        charge(3, 'room', 'ann:3'),
      ]
      expect(await post(bench, all)).toBeUndefined()
      expect(await post(bench, [charge(1, 'unknown'), ...all])).toEqual(
        all.map((_, index) => ({ charge: index + 1, waitMs: 1500 })),
      )
      expect(await post(bench, [charge(1, 'unknown')])).toBeUndefined()
    })

    it('takes the tokens of all buckets, or of none', async () => {
      const bench = await openRoom()
      await post(bench, [charge(3, 'room', 'bob')])
      expect(await post(bench, [charge(3), charge(1, 'room', 'bob')])).toEqual([
        { charge: 1, waitMs: 500 },
      ])
      expect(await post(bench, [charge(3)])).toBeUndefined()
    })

    it('fills a bucket up to its size, and no further', async () => {
      const bench = await openRoom()
      await post(bench, [charge(3)])
      await bench.clock.advance(60_000)
      expect(await post(bench, [charge(3)])).toBeUndefined()
      expect(await post(bench, [charge(1)])).toEqual([{ charge: 0, waitMs: 500 }])
    })

    it('that is no whole number of milliseconds lets the whole burst through', async () => {
      const bench = await openRoom()
      const rate = { intervalMs: 1000 / 3, burst: 10 }
      const publish = async (tokens: number) =>
        bench.store.publish([message('room')], undefined, { ...rate, charges: [charge(tokens)] })
      for (let n = 0; n < 10; n++) await publish(1)
      await expect(publish(1)).rejects.toThrow(RateExceeded)
      await bench.clock.advance(1000)
      await publish(3)
      await expect(publish(1)).rejects.toThrow(RateExceeded)
      await bench.clock.advance(3334)
      await publish(10)
    })

    it('is the same for messages that are counted', async () => {
      const bench = await openRoom()
      const publish = async () =>
        bench.store.publishAndCount([message('room')], undefined, { ...RATE, charges: [charge(3)] })
      expect(await publish()).toHaveLength(1)
      await expect(publish()).rejects.toThrow(RateExceeded)
      expect(await bench.store.figures()).toMatchObject({ messages: 1 })
    })

    it('never lets more through than the burst and what came since', async () => {
      const bench = await openRoom()
      let passed = 0
      for (let turn = 0; turn < 200; turn++) {
        await bench.clock.advance((turn * 37) % 230)
        const tokens = 1 + (turn % 3)
        if ((await post(bench, [charge(tokens)])) === undefined) passed += tokens
        expect(passed).toBeLessThanOrEqual(RATE.burst + bench.clock.now() / RATE.intervalMs)
      }
      expect(passed).toBeGreaterThan(bench.clock.now() / RATE.intervalMs - 3)
    })

    it('lets as many of several calls at once through as there are tokens', async () => {
      const bench = await openRoom()
      const all = await Promise.all(Array.from({ length: 20 }, () => post(bench, [charge(1)])))
      expect(all.filter((refused) => refused === undefined)).toHaveLength(3)
    })

    it('does not apply to calls without one', async () => {
      const bench = await openRoom()
      await post(bench, [charge(3)])
      await bench.store.publish([message('room', { user: 'ann' })])
      expect(await bench.store.figures()).toMatchObject({ messages: 2 })
    })
  })
}

function order(openBench: OpenBench): void {
  it('of several refusals, the first one counts', async () => {
    const { store } = await openBench()
    await connect(store, 'ann', { id: 1, channels: ['a'] })
    const tooMuch = { channels: ['b'], state: { k: 'x'.repeat(300) } }
    const limits = { maxConnections: 1, maxChannels: 1 }
    const outcomeOf = async (user: string, wishes: ConnectWishes) =>
      (await store.connect({ ...connectFacts(user, wishes), ...limits })).outcome
    expect(await outcomeOf('bob', { id: 1, ...tooMuch })).toBe('taken')
    expect(await outcomeOf('ann', { id: 2, ...tooMuch })).toBe('state-too-large')
    expect(await outcomeOf('ann', { id: 2, channels: ['b'] })).toBe('too-many-connections')
    expect(await outcomeOf('ann', { id: 1, channels: ['b'] })).toBe('too-many-channels')
    expect(await outcomeOf('ann', { id: 1, channels: ['a'] })).toBe('connected')
  })
}

export function userLimits(openBench: OpenBench): void {
  order(openBench)
  connectionLimit(openBench)
  channelLimit(openBench)
  messageRate(openBench)
}
