import { describe, expect, it } from 'vitest'
import { FanOut } from '../../../src/core/delivery/fan-out.ts'
import { Outbox } from '../../../src/core/delivery/outbox.ts'
import { Registry } from '../../../src/core/delivery/registry.ts'
import { channelTopic, userTopic } from '../../../src/store/store.ts'
import {
  channelName,
  connIdOf,
  message,
  storedEvent,
  userName,
  whisper,
} from '../../contract/fixtures.ts'
import { ManualClock } from '../../helpers/clock.ts'
import { ArraySink } from '../../helpers/sink.ts'
import { outgoing } from '../fixtures.ts'
import type { LiveConnection } from '../../../src/core/delivery/connection.ts'
import type { Gap, Publication, Topic } from '../../../src/store/store.ts'

class Scene {
  readonly clock = new ManualClock()
  readonly registry = new Registry({ listen() {}, unlisten() {} }, () => {})
  readonly sinks = new Map<string, ArraySink>()
  readonly #fanOut: FanOut
  #numbers = 0

  constructor(maxOutboxBytes = 1_000_000) {
    const giveUp = (connection: LiveConnection): void => {
      connection.sink = undefined
      this.registry.close(connection)
    }
    this.#fanOut = new FanOut(this.registry, new Outbox(this.clock, maxOutboxBytes, giveUp))
  }

  /** A connection of `user`, subscribed to the user's own topic and these channels. */
  enter(user: string, ...channels: string[]): ArraySink {
    const connection = this.registry.open(connIdOf(this.sinks.size), userName(user))
    const sink = new ArraySink()
    connection.sink = sink
    void this.registry.subscribe(connection, userTopic(userName(user)))
    for (const name of channels)
      void this.registry.subscribe(connection, channelTopic(channelName(name)))
    this.sinks.set(`${user} ${this.sinks.size}`, sink)
    return sink
  }

  async inChannel(publication: Publication): Promise<void> {
    const { channel } = publication.body
    if (channel === null) throw new Error('has no channel')
    this.#fanOut.deliver(storedEvent(++this.#numbers, publication), [channelTopic(channel)])
    await this.clock.endTurn()
  }

  async toUsers(publication: Publication): Promise<void> {
    const topics = (publication.users ?? []).map(userTopic)
    this.#fanOut.deliver(storedEvent(++this.#numbers, publication), topics)
    await this.clock.endTurn()
  }

  /** Announces a gap. Each affected connection gets the topics. */
  async loses(gap: Gap): Promise<void> {
    const tell = (topics: readonly Topic[]) => outgoing(gap.n, { type: 'gap', topics })
    this.#fanOut.announceGap(gap, tell, () => {})
    await this.clock.endTurn()
  }

  /** The number of events of each connection that got any. */
  got(): Record<string, number> {
    const filled = [...this.sinks].filter(([, { events }]) => events.length > 0)
    return Object.fromEntries(filled.map(([name, { events }]) => [name, events.length]))
  }
}

/** ann with two connections and bob with one in `room`; ann and cem with one each elsewhere. */
function gather(): Scene {
  const scene = new Scene()
  scene.enter('ann', 'room')
  scene.enter('ann', 'room', 'elsewhere')
  scene.enter('bob', 'room')
  scene.enter('ann', 'elsewhere')
  scene.enter('cem', 'elsewhere')
  return scene
}

describe('delivery', () => {
  it('hands an event to every connection in the channel, and to no other', async () => {
    const scene = gather()
    await scene.inChannel(message('room'))
    expect(scene.got()).toEqual({ 'ann 0': 1, 'ann 1': 1, 'bob 2': 1 })
  })

  it('leaves out all connections of excluded users', async () => {
    const scene = gather()
    await scene.inChannel(message('room', { excludeUsers: ['ann', 'cem'] }))
    expect(scene.got()).toEqual({ 'bob 2': 1 })
  })

  it('hands a private message in a channel to those of its users who are there', async () => {
    const scene = gather()
    await scene.inChannel(message('room', { pmUsers: ['ann', 'cem', 'nobody', 'ann'] }))
    expect(scene.got()).toEqual({ 'ann 0': 1, 'ann 1': 1 })
  })

  it('lets an exclusion win over a private-message list', async () => {
    const scene = gather()
    await scene.inChannel(message('room', { pmUsers: ['ann', 'bob'], excludeUsers: ['ann'] }))
    expect(scene.got()).toEqual({ 'bob 2': 1 })
    await scene.inChannel(message('room', { pmUsers: ['ann'], excludeUsers: ['ann'] }))
    expect(scene.got()).toEqual({ 'bob 2': 1 })
  })

  it('hands a private message without a channel to all connections of its users, once each', async () => {
    const scene = gather()
    await scene.toUsers(whisper(['ann', 'cem']))
    expect(scene.got()).toEqual({ 'ann 0': 1, 'ann 1': 1, 'ann 3': 1, 'cem 4': 1 })
  })

  it('leaves out who is excluded from a private message without a channel', async () => {
    const scene = gather()
    await scene.toUsers(whisper(['ann', 'cem'], { excludeUsers: ['ann'] }))
    expect(scene.got()).toEqual({ 'cem 4': 1 })
  })

  it('does not mix up a channel and a user of the same name', async () => {
    const scene = new Scene()
    scene.enter('room')
    scene.enter('ann', 'room')
    await scene.inChannel(message('room'))
    expect(scene.got()).toEqual({ 'ann 1': 1 })
    await scene.toUsers(whisper(['room']))
    expect(scene.got()).toEqual({ 'room 0': 1, 'ann 1': 1 })
  })

  it('serialises an event once for all, and not at all if nobody gets it', async () => {
    const scene = gather()
    let serialised = 0
    const more = { counted: { toJSON: () => ++serialised } }
    await scene.inChannel(message('nobody-is-here', { more }))
    await scene.inChannel(message('room', { more, pmUsers: ['cem'] }))
    await scene.inChannel(message('elsewhere', { more, excludeUsers: ['ann', 'cem'] }))
    expect(serialised).toBe(0)
    await scene.inChannel(message('room', { more }))
    expect(serialised).toBe(1)
  })

  it('keeps the order of events on every connection', async () => {
    const scene = gather()
    const sink = scene.enter('dan', 'room', 'elsewhere')
    const channels = ['room', 'elsewhere', 'elsewhere', 'room']
    await Promise.all(channels.map((channel) => scene.inChannel(message(channel))))
    expect(sink.events.map(({ id }) => id)).toEqual(['epoch-1', 'epoch-2', 'epoch-3', 'epoch-4'])
  })

  it.each([
    ['to everyone', {}],
    ['to all but some', { excludeUsers: ['nobody'] }],
    ['to some', { pmUsers: ['ann', 'bob'] }],
  ])('passes nobody over when a slow reader is given up while it goes %s', async (_, wishes) => {
    const scene = new Scene(500)
    const slow = scene.enter('ann', 'room')
    slow.writable = false
    const others = [
      scene.enter('ann', 'room'),
      scene.enter('bob', 'room'),
      scene.enter('ann', 'room'),
    ]
    for (let count = 1; count <= 4; count++) await scene.inChannel(message('room', wishes))
    expect(scene.registry.size).toBe(3)
    expect(others.map(({ events }) => events.length)).toEqual([4, 4, 4])
  })

  it.each([
    ['to everyone', {}],
    ['to all but some', { excludeUsers: ['nobody'] }],
    ['to some', { pmUsers: ['ann', 'bob'] }],
  ])('tells nobody what was announced before the joining, what goes %s', async (_, wishes) => {
    const scene = new Scene()
    scene.enter('ann', 'room')
    const bob = scene.enter('bob')
    const connection = scene.registry.get(connIdOf(1)) as LiveConnection
    void scene.registry.subscribe(connection, channelTopic(channelName('room')), 2)
    for (let count = 1; count <= 4; count++) await scene.inChannel(message('room', wishes))
    expect(scene.got()).toEqual({ 'ann 0': 4, 'bob 1': 2 })
    expect(bob.events.map(({ id }) => id)).toEqual(['epoch-3', 'epoch-4'])
  })

  it('begins later after another joining, and never earlier', async () => {
    const scene = new Scene()
    const bob = scene.enter('bob', 'room')
    const connection = scene.registry.get(connIdOf(0)) as LiveConnection
    for (const after of [2, 1, 0])
      void scene.registry.subscribe(connection, channelTopic(channelName('room')), after)
    for (let count = 1; count <= 3; count++) await scene.inChannel(message('room'))
    expect(bob.events.map(({ id }) => id)).toEqual(['epoch-3'])
  })
})

describe('a gap', () => {
  const ROOM = channelTopic(channelName('room'))
  const ELSEWHERE = channelTopic(channelName('elsewhere'))

  it('is told once to each who listened when something was lost, with the topics of which it was', async () => {
    const scene = gather()
    const dan = scene.enter('dan')
    const connection = scene.registry.get(connIdOf(5)) as LiveConnection
    void scene.registry.subscribe(connection, ROOM, 7)
    void scene.registry.subscribe(connection, ELSEWHERE, 6)
    const lost = new Map([ROOM, ELSEWHERE].map((topic) => [topic, 7]))
    await scene.loses({ lost, n: 4, head: 9 })
    expect(scene.got()).toEqual({
      ...{ 'ann 0': 1, 'ann 1': 1, 'bob 2': 1, 'ann 3': 1, 'cem 4': 1 },
      'dan 5': 1,
    })
    expect(dan.events).toMatchObject([{ topics: [ELSEWHERE] }])
    expect(scene.sinks.get('ann 1')?.events).toMatchObject([{ topics: [ROOM, ELSEWHERE] }])
  })

  it('is the end of numbers that are larger than the newest: they are given again', async () => {
    const scene = new Scene()
    const bob = scene.enter('bob')
    const connection = scene.registry.get(connIdOf(0)) as LiveConnection
    void scene.registry.subscribe(connection, ROOM, 1000)
    await scene.loses({ lost: new Map([[ROOM, 2]]), n: 2, head: 2 })
    bob.take()
    for (let count = 1; count <= 4; count++) await scene.inChannel(message('room'))
    expect(bob.events.map(({ id }) => id)).toEqual(['epoch-3', 'epoch-4'])
  })
})
