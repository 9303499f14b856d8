import { describe, expect, it } from 'vitest'
import { Batch } from '../../../src/core/delivery/batch.ts'
import { outgoing } from '../fixtures.ts'
import type { WireForm } from '../../../src/core/delivery/batch.ts'
import type { OutgoingEvent } from '../../../src/core/delivery/outgoing-event.ts'

/** A wire form that joins events, and counts its calls. */
class CountingForm implements WireForm {
  encoded = 0

  constructor(private readonly mark: string) {}

  encode(events: readonly OutgoingEvent[]): Buffer {
    this.encoded++
    return Buffer.from(events.map((event) => `${this.mark}${event.n}`).join(''))
  }
}

const batchOf = (...events: OutgoingEvent[]): Batch =>
  events.reduce((batch, event) => batch.append(event), Batch.empty)

describe('a batch', () => {
  it('is the same node for connections that were pushed the same events', () => {
    const [a, b, c] = [outgoing(1), outgoing(2), outgoing(3)]
    let [one, other] = [Batch.empty, Batch.empty]
    for (const event of [a, b, c]) {
      one = one.append(event)
      other = other.append(event)
    }
    expect(one).toBe(other)
  })

  it('is another node for connections that were pushed other events', () => {
    const [a, b] = [outgoing(1), outgoing(2)]
    const both = Batch.empty.append(a).append(b)
    expect(Batch.empty.append(b)).not.toBe(both)
    expect(both.events()).toEqual([a, b])
    expect(Batch.empty.append(outgoing(1))).not.toBe(Batch.empty.append(outgoing(1)))
  })

  it('does not grow by what others were pushed after it', () => {
    const [a, b, c] = [outgoing(1), outgoing(2), outgoing(3)]
    const first = Batch.empty.append(a)
    const [left, right] = [first.append(b), first.append(c)]
    expect(first.events()).toEqual([a])
    expect(left.events()).toEqual([a, b])
    expect(right.events()).toEqual([a, c])
  })

  it('knows its events, oldest first, how many there are, the last, and the batch without it', () => {
    const events = [outgoing(1), outgoing(2), outgoing(3)]
    const batch = batchOf(...events)
    expect(batch.events()).toEqual(events)
    expect(batch).toMatchObject({ length: 3, last: events[2] })
    expect(batch.parent?.events()).toEqual(events.slice(0, 2))
  })

  it('is empty at the start', () => {
    expect(Batch.empty.events()).toEqual([])
    expect(Batch.empty).toMatchObject({ length: 0, size: 0, last: undefined, parent: undefined })
  })

  it('is as large as the JSON of its events, in bytes', () => {
    const batch = batchOf(outgoing(1, { a: '\u{1F600}' }), outgoing(2, { a: 'é' }))
    expect(batch.size).toBe('{"a":"____"}'.length + '{"a":"__"}'.length)
  })

  it('builds its bytes once, whoever asks', () => {
    const [a, b] = [outgoing(1), outgoing(2)]
    const form = new CountingForm('#')
    const bytes = batchOf(a, b).bytes(form)
    expect(batchOf(a, b).bytes(form)).toBe(bytes)
    expect(bytes.toString()).toBe('#1#2')
    expect(form.encoded).toBe(1)
  })

  it('builds its bytes once for each form, in whatever order they are asked for', () => {
    const batch = batchOf(outgoing(1), outgoing(2))
    const forms = ['#', '/', '+'].map((mark) => new CountingForm(mark))
    const ask = (): string[] => forms.map((form) => batch.bytes(form).toString())
    expect(ask()).toEqual(['#1#2', '/1/2', '+1+2'])
    expect(ask()).toEqual(['#1#2', '/1/2', '+1+2'])
    expect(forms.map(({ encoded }) => encoded)).toEqual([1, 1, 1])
  })

  it('builds no bytes until it is asked', () => {
    const form = new CountingForm('#')
    const [a, b] = [outgoing(1), outgoing(2)]
    batchOf(a, b).bytes(form)
    expect(form.encoded).toBe(1)
  })
})
