import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Registry } from '../../../src/core/delivery/registry.ts'
import { channelTopic } from '../../../src/store/store.ts'
import { channelName, connIdOf, userName } from '../../contract/fixtures.ts'
import { deferred } from '../fixtures.ts'
import type { Awaitable, Topic } from '../../../src/store/store.ts'

const ROOM = channelTopic(channelName('room'))
const OTHER = channelTopic(channelName('other'))

/** A store that records `listen` and `unlisten`. */
function open(listen: () => Awaitable<void> = () => {}) {
  const told: string[] = []
  const background: Awaitable<unknown>[] = []
  const store = {
    listen: (topic: Topic) => {
      told.push(`listen ${topic}`)
      return listen()
    },
    unlisten: (topic: Topic) => void told.push(`unlisten ${topic}`),
  }
  const registry = new Registry(store, (work) => void background.push(work))
  const connectionOf = (id: number) => registry.open(connIdOf(id), userName(`user ${id}`))
  return { registry, told, background, connectionOf }
}

describe('the registry', () => {
  it('opens one connection for an id', () => {
    const { registry, connectionOf } = open()
    const connection = connectionOf(1)
    expect(connectionOf(1)).toBe(connection)
    expect(registry.get(connIdOf(1))).toBe(connection)
    expect(registry.get(connIdOf(2))).toBeUndefined()
    expect([...registry.all()]).toEqual([connection])
    expect(registry.size).toBe(1)
  })

  it('forgets a connection with all its subscriptions', () => {
    const { registry, connectionOf } = open()
    const connection = connectionOf(1)
    void registry.subscribe(connection, ROOM)
    void registry.subscribe(connection, OTHER)
    registry.close(connection)
    expect(registry.size).toBe(0)
    expect(registry.listenersOf(ROOM)).toBeUndefined()
    expect(registry.listenersOf(OTHER)).toBeUndefined()
    expect(connection.subscriptions).toEqual([])
  })

  it('does not forget who has taken the id of a connection that is closed a second time', () => {
    const { registry, connectionOf } = open()
    const older = connectionOf(1)
    registry.close(older)
    const newer = connectionOf(1)
    void registry.subscribe(newer, ROOM)
    registry.close(older)
    expect(registry.get(connIdOf(1))).toBe(newer)
    expect(registry.listenersOf(ROOM)?.subscriptions).toHaveLength(1)
  })

  it('subscribes a connection to a topic once', () => {
    const { registry, connectionOf } = open()
    const connection = connectionOf(1)
    void registry.subscribe(connection, ROOM)
    void registry.subscribe(connection, ROOM)
    expect(registry.listenersOf(ROOM)?.subscriptions).toHaveLength(1)
    registry.unsubscribe(connection, ROOM)
    expect(registry.listenersOf(ROOM)).toBeUndefined()
  })

  it('passes over a topic that the connection does not listen to', () => {
    const { registry, told, connectionOf } = open()
    const [one, other] = [connectionOf(1), connectionOf(2)]
    void registry.subscribe(one, ROOM)
    registry.unsubscribe(other, ROOM)
    registry.unsubscribe(one, OTHER)
    expect(registry.listenersOf(ROOM)?.subscriptions).toHaveLength(1)
    expect(told).toEqual([`listen ${ROOM}`])
  })

  it('tells the store of a topic with its first listener, and of its last', () => {
    const { registry, told, connectionOf } = open()
    const [one, other] = [connectionOf(1), connectionOf(2)]
    void registry.subscribe(one, ROOM)
    void registry.subscribe(other, ROOM)
    expect(told).toEqual([`listen ${ROOM}`])
    registry.unsubscribe(one, ROOM)
    expect(told).toEqual([`listen ${ROOM}`])
    registry.close(other)
    expect(told).toEqual([`listen ${ROOM}`, `unlisten ${ROOM}`])
    void registry.subscribe(one, ROOM)
    expect(told.at(-1)).toBe(`listen ${ROOM}`)
  })

  it('hands on what the store makes of the end of listening', () => {
    const { registry, background, connectionOf } = open()
    const connection = connectionOf(1)
    void registry.subscribe(connection, ROOM)
    expect(background).toHaveLength(0)
    registry.close(connection)
    expect(background).toHaveLength(1)
  })

  it('has subscribed only when the store announces the topic, also for those who come meanwhile', async () => {
    const { promise, resolve } = deferred()
    const { registry, connectionOf } = open(() => promise)
    const done: string[] = []
    const both = ['first', 'second'].map(async (name, id) => {
      await registry.subscribe(connectionOf(id), ROOM)
      done.push(name)
    })
    await new Promise((later) => setImmediate(later))
    expect(done).toEqual([])
    resolve()
    await Promise.all(both)
    expect(done).toEqual(['first', 'second'])
  })

  it('keeps every place right, whoever comes and goes', () => {
    const topics = [ROOM, OTHER, channelTopic(channelName('third'))]
    const step = fc.record({
      does: fc.constantFrom('subscribe', 'subscribe', 'unsubscribe', 'close'),
      id: fc.integer({ min: 0, max: 5 }),
      topic: fc.constantFrom(...topics),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { registry, told, connectionOf } = open()
        const model = new Map<Topic, Set<number>>(topics.map((topic) => [topic, new Set()]))
        for (const { does, id, topic } of steps) {
          const connection = connectionOf(id)
          if (does === 'subscribe') {
            void registry.subscribe(connection, topic)
            model.get(topic)?.add(id)
          } else if (does === 'unsubscribe') {
            registry.unsubscribe(connection, topic)
            model.get(topic)?.delete(id)
          } else {
            registry.close(connection)
            for (const ids of model.values()) ids.delete(id)
          }
          for (const [of, ids] of model) {
            const subscriptions = registry.listenersOf(of)?.subscriptions ?? []
            expect(subscriptions.map(({ index }) => index)).toEqual([...subscriptions.keys()])
            expect(new Set(subscriptions.map((one) => one.connection.id))).toEqual(
              new Set([...ids].map(connIdOf)),
            )
            const listening = told.filter((line) => line.endsWith(` ${of}`)).at(-1)
            expect(listening?.startsWith('listen') ?? false).toBe(ids.size > 0)
          }
        }
      }),
    )
  })
})
