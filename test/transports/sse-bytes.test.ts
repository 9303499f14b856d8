import { describe, expect, it } from 'vitest'
import { chunkedStream, plainStream } from '../../src/transports/sse-bytes.ts'
import { outgoing } from '../core/fixtures.ts'

const events = [outgoing(1, { a: 'ü\u{1F600}' }), outgoing(2, { a: 'line\nbreak' })]
const text = events.map(({ id, json }) => `id: ${id}\ndata: [${json}]\n\n`).join('')

describe('the bytes of an event stream', () => {
  it('are one block for each event, with its id and a list of one element', () => {
    expect(plainStream.encode(events).toString()).toBe(text)
    expect(text.split('\n')).toHaveLength(events.length * 3 + 1)
  })

  it('are one chunk for all events of a batch, measured in bytes', () => {
    const size = Buffer.byteLength(text).toString(16)
    expect(chunkedStream.encode(events).toString()).toBe(`${size}\r\n${text}\r\n`)
  })

  it.each([
    ['a chunk', chunkedStream, '3\r\n:\n\n\r\n', '3\r\né\n\r\n'],
    ['plain', plainStream, ':\n\n', 'é\n'],
  ])('are comments as heartbeats, and texts: %s', (_form, form, heartbeat, framed) => {
    expect(form.heartbeat.toString()).toBe(heartbeat)
    expect(form.text('é\n').toString()).toBe(framed)
  })
})
