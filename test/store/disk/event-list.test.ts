import fc from 'fast-check'
import { expect, it } from 'vitest'
import { EventList } from '../../../src/store/disk/event-list.ts'
import type { StoredEvent } from '../../../src/store/store.ts'

const eventOf = (n: number): StoredEvent => ({ n }) as unknown as StoredEvent

const changes = fc.array(
  fc.record({ n: fc.integer({ min: 1, max: 12 }), at: fc.nat(), isDeleted: fc.boolean() }),
)

it('an event list says the same as a map, whatever the order of its changes', () => {
  fc.assert(
    fc.property(changes, fc.integer({ min: 0, max: 13 }), (given, first) => {
      const list = new EventList()
      const map = new Map<number, number>()
      for (const { n, at, isDeleted } of given)
        if (isDeleted) {
          list.delete(n)
          map.delete(n)
        } else {
          list.set(eventOf(n), at)
          map.set(n, at)
        }
      const expected = [...map].filter(([n]) => n >= first).sort(([one], [other]) => one - other)
      const { events, times } = list.from(first)
      expect(events.map(({ n }, index) => [n, times[index]])).toEqual(expected)
    }),
  )
})

it('an event list deletes from its beginning as quickly as from its end', () => {
  const count = 300_000
  const list = new EventList()
  for (let n = 1; n <= count; n++) list.set(eventOf(n), n)
  // Moving all later events for each would take minutes.
  for (let n = 1; n < count; n++) list.delete(n)
  expect(list.from(0).events.map(({ n }) => n)).toEqual([count])
})
