import { describe, expect, it } from 'vitest'
import { channelTopic } from '../../src/store/store.ts'
import {
  attach,
  channelName,
  channelNames,
  connIdOf,
  connect,
  message,
  settingsMap,
} from './fixtures.ts'
import type { Store } from '../../src/store/store.ts'
import type { OpenBench } from './bench.ts'

const NO_SETTINGS = settingsMap({})

async function headOf(store: Store): Promise<number> {
  return (await store.missed([])).head
}

/** Publishes a few events, so that the store's event numbers do not start at 0. */
async function saySomething(store: Store): Promise<void> {
  await store.configure(settingsMap({ elsewhere: {} }))
  await store.publish([message('elsewhere'), message('elsewhere')])
}

export function attachments(openBench: OpenBench): void {
  describe('attachments', () => {
    it('start from the last event before the connection was made', async () => {
      const { store } = await openBench()
      await saySomething(store)
      const cursor = await headOf(store)
      await connect(store, 'ann', { channels: ['room'] })
      await saySomething(store)
      expect(await attach(store, connIdOf(1))).toEqual({
        user: 'ann',
        channels: [{ name: 'room', since: expect.any(Number) as number }],
        cursor,
        returning: false,
      })
    })

    it('cover a channel that was joined before the client came from that same start', async () => {
      const { store } = await openBench()
      await connect(store, 'ann')
      await saySomething(store)
      await store.join(connIdOf(1), channelNames('late'), NO_SETTINGS)
      const attachment = await attach(store, connIdOf(1))
      expect(attachment?.channels[0]?.since).toBeLessThanOrEqual(attachment?.cursor ?? -1)
    })

    it('cover a channel that was joined after the client came from the joining on', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { channels: ['early'] })
      await attach(store, connIdOf(1))
      await saySomething(store)
      const joinedAt = await headOf(store)
      await store.join(connIdOf(1), channelNames('late'), NO_SETTINGS)
      await saySomething(store)
      await store.detach(connIdOf(1), 0, 15_000)
      await store.join(connIdOf(1), channelNames('later'), NO_SETTINGS)
      const attachment = await attach(store, connIdOf(1))
      const since = Object.fromEntries(
        (attachment?.channels ?? []).map((channel) => [channel.name, channel.since]),
      )
      expect(since).toEqual({ early: 0, late: joinedAt, later: joinedAt + 2 })
    })

    it('take no gap for what the user is not told: its own joining', async () => {
      const { store, heard } = await openBench()
      const configs = { room: { notify_presence: true, store_frames: false } }
      await connect(store, 'ann')
      await attach(store, connIdOf(1))
      await store.join(connIdOf(1), channelNames('room', 'other'), settingsMap(configs))
      const [joined] = await heard.commanded(1)
      if (joined?.type !== 'joined') throw new Error('no channel was joined')
      const topic = channelTopic(channelName('room'))
      expect(await store.missed([{ topic, after: joined.since }])).toMatchObject({ gaps: [] })
      await connect(store, 'bob', { id: 2, channels: ['room'] })
      expect(await store.missed([{ topic, after: joined.since }])).toMatchObject({ gaps: [topic] })
    })

    it('cover a channel that was left and joined again from the second joining on', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { channels: ['room'] })
      await attach(store, connIdOf(1))
      await store.leave(connIdOf(1), channelNames('room'))
      await saySomething(store)
      await store.join(connIdOf(1), channelNames('room'), NO_SETTINGS)
      const attachment = await attach(store, connIdOf(1))
      expect(attachment?.channels).toEqual([{ name: 'room', since: await headOf(store) }])
    })

    it('go on from what the client was sent, and know that it returns', async () => {
      const { store } = await openBench()
      await connect(store, 'ann')
      expect(await attach(store, connIdOf(1))).toMatchObject({ returning: false })
      await store.detach(connIdOf(1), 42, 15_000)
      expect(await attach(store, connIdOf(1))).toMatchObject({ cursor: 42, returning: true })
    })

    it('return also when the client before was never told to have gone', async () => {
      const { store } = await openBench()
      await connect(store, 'ann')
      await attach(store, connIdOf(1))
      expect(await attach(store, connIdOf(1))).toMatchObject({ returning: true })
    })

    it('go on from the same place after a second connect with the id', async () => {
      const { store } = await openBench()
      await connect(store, 'ann')
      await attach(store, connIdOf(1))
      await store.detach(connIdOf(1), 42, 15_000)
      await connect(store, 'ann', { channels: ['room'] })
      expect(await attach(store, connIdOf(1))).toMatchObject({ cursor: 42, returning: true })
    })

    it('are of a connection that is known, else undefined', async () => {
      const { store } = await openBench()
      expect(await attach(store, connIdOf(1))).toBeUndefined()
      await store.detach(connIdOf(1), 3, 1000)
      expect(await store.hasConnection(connIdOf(1))).toBe(false)
      await connect(store, 'ann')
      await store.drop(connIdOf(1))
      expect(await attach(store, connIdOf(1))).toBeUndefined()
    })
  })

  describe('commands', () => {
    it('tell the server that holds a connection what it joined and left, and that it ended', async () => {
      const { store, heard } = await openBench()
      const connId = connIdOf(1)
      await saySomething(store)
      const since = await headOf(store)
      await connect(store, 'ann', { channels: ['first'] })
      await attach(store, connId)
      await connect(store, 'ann', { channels: ['first', 'second'] })
      await store.join(connId, channelNames('first', 'third'), NO_SETTINGS)
      await store.leave(connId, channelNames('unknown', 'first'))
      await store.drop(connId)
      expect(await heard.commanded(4)).toEqual([
        { type: 'joined', connId, channels: ['second'], since },
        { type: 'joined', connId, channels: ['third'], since },
        { type: 'left', connId, channels: ['first'] },
        { type: 'dropped', connId },
      ])
    })

    it('are given only for what a client has open, and only if there is something to do', async () => {
      const { store, heard } = await openBench()
      const [waiting, gone, open] = [connIdOf(1), connIdOf(2), connIdOf(3)]
      await connect(store, 'ann', { id: 1, channels: ['room'] })
      await connect(store, 'bob', { id: 2, channels: ['room'] })
      await connect(store, 'cem', { id: 3, channels: ['room'] })
      await attach(store, gone)
      await store.detach(gone, 0, 15_000)
      await attach(store, open)
      for (const connId of [waiting, gone]) {
        await store.join(connId, channelNames('more'), NO_SETTINGS)
        await store.leave(connId, channelNames('more'))
        await store.drop(connId)
      }
      await store.join(open, channelNames('room'), NO_SETTINGS)
      await store.leave(open, channelNames('unknown'))
      await store.drop(open)
      expect(await heard.commanded(1)).toEqual([{ type: 'dropped', connId: open }])
    })

    it('ends with the reason that is given, for the client that has it open', async () => {
      const { store, heard } = await openBench()
      const reason = 'because\nof "this"'
      await connect(store, 'ann', { id: 1, channels: ['room'] })
      await attach(store, connIdOf(1))
      await store.drop(connIdOf(1), { reason })
      expect(await heard.commanded(1)).toEqual([{ type: 'dropped', connId: connIdOf(1), reason }])
    })
  })
}
