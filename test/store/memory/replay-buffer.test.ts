import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ReplayBuffer } from '../../../src/store/memory/replay-buffer.ts'
import { message, notice, storedEvent, uuidOf } from '../../contract/fixtures.ts'
import type { StoredEvent } from '../../../src/store/store.ts'

const said = (n: number, uuid = n): StoredEvent =>
  storedEvent(n, message('room', { uuid: uuidOf(uuid) }))

function ringOf(capacity: number, ...numbers: number[]): ReplayBuffer {
  const buffer = new ReplayBuffer(0)
  for (const n of numbers) buffer.push(said(n), capacity)
  return buffer
}

const numbersAfter = (buffer: ReplayBuffer, n: number) => buffer.after(n).map((event) => event.n)

describe('a buffer', () => {
  it('holds the last events, oldest first', () => {
    expect(numbersAfter(ringOf(3, 1, 2, 3, 4, 5), 0)).toEqual([3, 4, 5])
  })

  it('answers what is above a number, whether the number is among its own or not', () => {
    const buffer = ringOf(10, 2, 4, 6)
    expect(numbersAfter(buffer, 1)).toEqual([2, 4, 6])
    expect(numbersAfter(buffer, 2)).toEqual([4, 6])
    expect(numbersAfter(buffer, 3)).toEqual([4, 6])
    expect(numbersAfter(buffer, 6)).toEqual([])
    expect(numbersAfter(buffer, 7)).toEqual([])
  })

  it('knows the newest that it holds: none is 0', () => {
    expect(new ReplayBuffer(7).newest).toBe(0)
    expect(ringOf(2, 3, 5, 9).newest).toBe(9)
  })

  it('has lost nothing until an event is pushed out, then everything through that one', () => {
    const buffer = ringOf(2, 3, 5)
    expect(buffer.lostThrough).toBe(0)
    buffer.push(said(8), 2)
    expect(buffer.lostThrough).toBe(3)
  })

  it('has lost from the start what may have been forgotten before it was made', () => {
    const buffer = new ReplayBuffer(7)
    expect(buffer.lostThrough).toBe(7)
    buffer.push(said(9), 2)
    expect(buffer.lostThrough).toBe(7)
  })

  it('loses an event that it may not keep, and keeps what it has', () => {
    const buffer = ringOf(3, 1, 2)
    buffer.push(said(3), 0)
    expect(buffer.lostThrough).toBe(3)
    expect(numbersAfter(buffer, 0)).toEqual([1, 2])
    buffer.skip(5)
    expect(buffer.lostThrough).toBe(5)
  })

  it('never takes back that an event was lost', () => {
    const buffer = ringOf(2, 1, 2)
    buffer.skip(3)
    buffer.push(said(4), 2)
    expect(buffer.lostThrough).toBe(3)
  })

  it('gets smaller when its capacity does', () => {
    const buffer = ringOf(5, 1, 2, 3, 4)
    buffer.push(said(5), 2)
    expect(numbersAfter(buffer, 0)).toEqual([4, 5])
    expect(buffer.lostThrough).toBe(3)
  })

  it('puts another event in the place of the first message with a uuid', () => {
    const buffer = new ReplayBuffer(0)
    buffer.push(storedEvent(1, notice('room', { uuid: uuidOf(7) })), 9)
    buffer.push(said(2, 7), 9)
    buffer.push(said(3, 7), 9)
    const changed = said(2, 8)
    buffer.replaceMessage(uuidOf(7), (event) => {
      expect(event.n).toBe(2)
      return changed
    })
    expect(buffer.after(0).map(({ body }) => body.uuid)).toEqual([uuidOf(7), uuidOf(8), uuidOf(7)])
    buffer.replaceMessage(uuidOf(9), () => expect.unreachable())
  })

  it('takes out the first message with a uuid, which is not lost by that', () => {
    const buffer = new ReplayBuffer(0)
    buffer.push(storedEvent(1, notice('room', { uuid: uuidOf(7) })), 9)
    buffer.push(said(2, 7), 9)
    buffer.push(said(3, 7), 9)
    buffer.removeMessage(uuidOf(7))
    expect(numbersAfter(buffer, 0)).toEqual([1, 3])
    expect(buffer.lostThrough).toBe(0)
    buffer.removeMessage(uuidOf(9))
    expect(numbersAfter(buffer, 0)).toEqual([1, 3])
  })

  it('hands out lists that do not change afterwards', () => {
    const buffer = ringOf(2, 1, 2)
    const held = buffer.after(0)
    buffer.push(said(3), 2)
    buffer.removeMessage(uuidOf(2))
    expect(held.map(({ n }) => n)).toEqual([1, 2])
  })

  it('does not mix with other rings that started empty', () => {
    const [one, other] = [new ReplayBuffer(0), new ReplayBuffer(0)]
    one.push(said(1), 2)
    expect(other.after(0)).toEqual([])
  })

  it('either has an event or says that it was lost, whatever was done', () => {
    const step = fc.record({
      does: fc.constantFrom('push', 'push', 'skip', 'remove'),
      capacity: fc.integer({ min: 0, max: 4 }),
      uuid: fc.integer({ min: 0, max: 3 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const buffer = new ReplayBuffer(0)
        const removed = new Set<number>()
        for (const [index, { does, capacity, uuid }] of steps.entries()) {
          const n = index + 1
          if (does === 'push') buffer.push(said(n, uuid), capacity)
          else if (does === 'skip') buffer.skip(n)
          else {
            removed.add(n)
            const first = buffer.after(0).find(({ body }) => body.uuid === uuidOf(uuid))
            if (first) removed.add(first.n)
            buffer.removeMessage(uuidOf(uuid))
          }
        }
        const held = new Set(numbersAfter(buffer, 0))
        for (const index of steps.keys()) {
          const n = index + 1
          expect(held.has(n) || removed.has(n) || n <= buffer.lostThrough).toBe(true)
        }
      }),
    )
  })
})
