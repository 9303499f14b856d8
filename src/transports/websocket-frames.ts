/**
 * Builds complete WebSocket frames from server to client (RFC 6455, section 5.2). Events for thousands of sockets are
 * encoded once, and the same bytes are written to each socket.
 */
import type { WireForm } from '../core/delivery/batch.ts'
import type { OutgoingEvent } from '../core/delivery/outgoing-event.ts'

const FIN = 0x80
const TEXT = 0x1
const PING = 0x9
const [LENGTH_16_BIT, LENGTH_64_BIT] = [126, 127]

/** Encodes each event as one frame with a list of one element (recorded: message-one-per-frame). */
export const listFrames: WireForm = {
  encode(events: readonly OutgoingEvent[]): Buffer {
    const sizes = events.map((event) => event.size + 2)
    const total = sizes.reduce((sum, size) => sum + headerLength(size) + size, 0)
    const bytes = Buffer.allocUnsafe(total)
    let at = 0
    for (const event of events) at = writeListFrame(bytes, at, event)
    return bytes
  },
}

/** Encodes each text as one text frame. */
export function textFrames(texts: readonly Buffer[]): Buffer {
  const total = texts.reduce((sum, { length }) => sum + headerLength(length) + length, 0)
  const bytes = Buffer.allocUnsafe(total)
  let at = 0
  for (const text of texts) {
    at = writeHeader(bytes, at, text.length)
    at += text.copy(bytes, at)
  }
  return bytes
}

export const PING_FRAME = Buffer.from([FIN | PING, 0])

/** An empty list, which clients treat as a heartbeat, and a ping, which they answer. */
export const HEARTBEAT = Buffer.concat([textFrames([Buffer.from('[]')]), PING_FRAME])

function writeListFrame(bytes: Buffer, start: number, { json, size }: OutgoingEvent): number {
  let at = writeHeader(bytes, start, size + 2)
  bytes[at++] = 0x5b // [
  // As many bytes as UTF-16 code units: the text is ASCII and needs no UTF-8 encoding.
  at += bytes.write(json, at, size, json.length === size ? 'latin1' : 'utf8')
  bytes[at++] = 0x5d // ]
  return at
}

function headerLength(size: number): number {
  return size < LENGTH_16_BIT ? 2 : size <= 0xffff ? 4 : 10
}

function writeHeader(bytes: Buffer, at: number, size: number): number {
  bytes[at] = FIN | TEXT
  if (size < LENGTH_16_BIT) {
    bytes[at + 1] = size
    return at + 2
  }
  if (size <= 0xffff) {
    bytes[at + 1] = LENGTH_16_BIT
    return bytes.writeUInt16BE(size, at + 2)
  }
  bytes[at + 1] = LENGTH_64_BIT
  return bytes.writeBigUInt64BE(BigInt(size), at + 2)
}
