import { describe, expect, it } from 'vitest'
import { Position } from '../../../frontend/client/position.ts'
import { parseCursor } from '../../../src/protocol/ids.ts'

const message = (id: unknown) => ({ type: 'message', id })
const gap = (id: unknown) => ({ type: 'gap', id })

/** The events that the page receives. */
const told = (position: Position, events: readonly { type: string; id: unknown }[]): unknown[] =>
  events.filter((event) => position.advance(event)).map(({ id }) => id)

function openedOnce(): Position {
  const position = new Position()
  position.opened()
  return position
}

describe('the place in the stream of events', () => {
  it('starts at a cursor that the server reads, and that is of no server', () => {
    expect(parseCursor(new Position().cursor)).toEqual({ epoch: '0', n: 0 })
  })

  it('is told by the first gap, which the page need not know', () => {
    const position = openedOnce()
    expect(told(position, [gap('a-7')])).toEqual([])
    expect(position.cursor).toBe('a-7')
    expect(told(position, [message('a-7'), message('a-8')])).toEqual(['a-8'])
  })

  it('is uncertain if it was opened before without hearing anything: then the gap is told', () => {
    const position = openedOnce()
    position.opened()
    expect(told(position, [gap('a-7')])).toEqual(['a-7'])
  })

  it('moves with each event; what is not newer is a repetition', () => {
    const position = openedOnce()
    const ids = ['a-1', 'a-2', 'a-2', 'a-1', 'a-10', 'a-9', 'a-11']
    expect(told(position, ids.map(message))).toEqual(['a-1', 'a-2', 'a-10', 'a-11'])
    expect(position.cursor).toBe('a-11')
  })

  it('begins anew with another epoch', () => {
    const position = openedOnce()
    expect(told(position, [message('a-9'), gap('b-0'), message('b-1')])).toEqual([
      'a-9',
      'b-0',
      'b-1',
    ])
  })

  it('goes back with a gap, since the server says so', () => {
    const position = openedOnce()
    expect(told(position, [message('a-9'), gap('a-3'), message('a-4')])).toEqual([
      'a-9',
      'a-3',
      'a-4',
    ])
  })

  it.each([
    [undefined],
    [null],
    [7],
    [''],
    ['a'],
    ['a-'],
    ['-1'],
    ['a-01'],
    ['a-1 '],
    ['a-12345678901234567'],
    ['ä-1'],
  ])('does not move with the id %j, and the event is told', (id) => {
    const position = openedOnce()
    position.advance(message('a-5'))
    expect(told(position, [message(id), message(id)])).toEqual([id, id])
    expect(position.cursor).toBe('a-5')
  })
})
