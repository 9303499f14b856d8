import { describe, expect, it } from 'vitest'
import { mergeInOrder } from '../../../src/store/redis/merge-in-order.ts'
import type { Announcement } from '../../../src/store/redis/merge-in-order.ts'

const events = (...numbers: number[]): Announcement[] =>
  numbers.map((n) => ({ kind: 'event', n, handle: () => {} }))
const command = (n?: number): Announcement => ({ kind: 'command', n, handle: () => {} })

const shown = (announcements: readonly Announcement[]) =>
  announcements.map(({ kind, n }) => (kind === 'event' ? n : `command ${n ?? '?'}`))

describe('what was heard and what was read', () => {
  it('is in the order of the numbers', () => {
    expect(shown(mergeInOrder(events(2, 5, 6), events(1, 3, 4, 7)))).toEqual([1, 2, 3, 4, 5, 6, 7])
  })

  it('happens once', () => {
    expect(shown(mergeInOrder(events(2, 3, 4), events(1, 2, 3)))).toEqual([1, 2, 3, 4])
  })

  it('has a command behind the newest event when it was given', () => {
    const heard = [command(2), ...events(5), command(6)]
    expect(shown(mergeInOrder(heard, events(1, 2, 3, 6, 7)))).toEqual([
      ...[1, 2, 'command 2', 3, 5, 6, 'command 6', 7],
    ])
  })

  it('has a command of which that is not known where it was heard', () => {
    const heard = [command(), ...events(2), command()]
    expect(shown(mergeInOrder(heard, events(1, 2, 3)))).toEqual([
      ...['command ?', 1, 2, 'command ?', 3],
    ])
  })

  it('is what was heard where nothing was read, and the other way round', () => {
    expect(shown(mergeInOrder([command(9), ...events(2)], []))).toEqual(['command 9', 2])
    expect(shown(mergeInOrder([], events(1, 2)))).toEqual([1, 2])
  })
})
