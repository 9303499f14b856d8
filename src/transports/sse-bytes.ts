/**
 * Builds the bytes of event streams (Server-Sent Events). As on WebSockets, events for thousands of clients are encoded
 * once, and the same bytes are written to each socket, with the framing of HTTP around them.
 */
import type { WireForm } from '../core/delivery/batch.ts'
import type { OutgoingEvent } from '../core/delivery/outgoing-event.ts'

/** How the body of a response is framed: in chunks, or not at all, as HTTP/1.0 needs it. */
export interface StreamForm extends WireForm {
  /** Returns text that is not made of events. */
  text(content: string): Buffer
  /** A comment, which clients ignore. */
  readonly heartbeat: Buffer
}

const HEARTBEAT = ':\n\n'
const [BEFORE_ID, BEFORE_JSON, AFTER_JSON] = ['id: ', '\ndata: [', ']\n\n']
const FIELD_BYTES = BEFORE_ID.length + BEFORE_JSON.length + AFTER_JSON.length
const CRLF = '\r\n'

/** Each write is one chunk. */
export const chunkedStream = streamForm((size) => [size.toString(16) + CRLF, CRLF])
export const plainStream = streamForm(() => ['', ''])

/** `framing`: returns what comes before and after a number of bytes. */
function streamForm(framing: (size: number) => readonly [string, string]): StreamForm {
  function framed(size: number, fill: (bytes: Buffer, at: number) => number): Buffer {
    const [before, after] = framing(size)
    const bytes = Buffer.allocUnsafe(before.length + size + after.length)
    const end = fill(bytes, bytes.write(before, 'latin1'))
    bytes.write(after, end, 'latin1')
    return bytes
  }
  const text = (content: string): Buffer =>
    framed(Buffer.byteLength(content), (bytes, at) => at + bytes.write(content, at))
  return {
    text,
    heartbeat: text(HEARTBEAT),
    encode(events: readonly OutgoingEvent[]): Buffer {
      const total = events.reduce((sum, { id, size }) => sum + id.length + size + FIELD_BYTES, 0)
      return framed(total, (bytes, start) => {
        let at = start
        for (const event of events) at = writeEvent(bytes, at, event)
        return at
      })
    },
  }
}

/** Each event has a list with one element, as on a WebSocket. JSON has no line breaks, which would end the field. */
function writeEvent(bytes: Buffer, start: number, { id, json, size }: OutgoingEvent): number {
  let at = start + bytes.write(BEFORE_ID + id + BEFORE_JSON, start, 'latin1')
  // As many bytes as UTF-16 code units: the text is ASCII and needs no UTF-8 encoding.
  at += bytes.write(json, at, size, json.length === size ? 'latin1' : 'utf8')
  return at + bytes.write(AFTER_JSON, at, 'latin1')
}
