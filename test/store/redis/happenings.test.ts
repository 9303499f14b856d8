import { describe, expect, it } from 'vitest'
import { inOneOrder } from '../../../src/store/redis/happenings.ts'
import type { Happening } from '../../../src/store/redis/happenings.ts'

const events = (...numbers: number[]): Happening[] =>
  numbers.map((n) => ({ kind: 'event', n, happen: () => {} }))
const command = (n?: number): Happening => ({ kind: 'command', n, happen: () => {} })

const shown = (happenings: readonly Happening[]) =>
  happenings.map(({ kind, n }) => (kind === 'event' ? n : `command ${n ?? '?'}`))

describe('what was heard and what was read', () => {
  it('is in the order of the numbers', () => {
    expect(shown(inOneOrder(events(2, 5, 6), events(1, 3, 4, 7)))).toEqual([1, 2, 3, 4, 5, 6, 7])
  })

  it('happens once', () => {
    expect(shown(inOneOrder(events(2, 3, 4), events(1, 2, 3)))).toEqual([1, 2, 3, 4])
  })

  it('has a command behind the newest event when it was given', () => {
    const heard = [command(2), ...events(5), command(6)]
    expect(shown(inOneOrder(heard, events(1, 2, 3, 6, 7)))).toEqual([
      ...[1, 2, 'command 2', 3, 5, 6, 'command 6', 7],
    ])
  })

  it('has a command of which that is not known where it was heard', () => {
    const heard = [command(), ...events(2), command()]
    expect(shown(inOneOrder(heard, events(1, 2, 3)))).toEqual([
      ...['command ?', 1, 2, 'command ?', 3],
    ])
  })

  it('is what was heard where nothing was read, and the other way round', () => {
    expect(shown(inOneOrder([command(9), ...events(2)], []))).toEqual(['command 9', 2])
    expect(shown(inOneOrder([], events(1, 2)))).toEqual([1, 2])
  })
})
