/** Requests with placeholders that the load generator fills in. Their widths must match ../load/load.h. */

/** Becomes `~channel.publisher.sequence.microseconds~`, which the generator finds in delivered messages. */
export const STAMP = '@stamp@'.padEnd(38, '@')
/** Becomes `c00000` and up. */
export const CHANNEL = '@chan@'
/** Becomes twelve digits, a different number in each request. */
export const NUMBER = '@number@'.padEnd(12, '@')
/** Becomes a signature with the current time. */
export const SIGNATURE = '@sign@'.padEnd(40, '@')

/** @param {number} index */
export const channelName = (index) => `c${String(index).padStart(5, '0')}`

/** Returns the value of `NUMBER` in request `index`. */
export const numberText = (index) => String(index).padStart(12, '0')

/**
 * Returns a complete POST request, as sent on the wire.
 *
 * @param {string} path
 * @param {string} body
 * @param {Record<string, string>} headers
 */
export function post(path, body, headers = {}) {
  const lines = Object.entries({
    host: '127.0.0.1',
    'content-type': 'application/json',
    ...headers,
    'content-length': String(Buffer.byteLength(body)),
  }).map(([name, value]) => `${name}: ${value}\r\n`)
  return `POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`
}

/** Returns a payload with a stamp and `fillerBytes` of filler. */
export const payload = (fillerBytes) => STAMP + 'x'.repeat(fillerBytes)

/**
 * Returns a client text frame, masked with zeros so that it stays readable, followed by an empty ping. Used to
 * publish on a WebSocket (../load/publishers.c).
 *
 * @param {string} text at most 65,535 bytes; shorter than 126 bytes, it is padded with spaces
 */
export function frame(text) {
  const body = Buffer.from(text.padEnd(126))
  const head = [0x81, 0x80 | 126, body.length >> 8, body.length & 0xff, 0, 0, 0, 0]
  return Buffer.concat([Buffer.from(head), body, Buffer.from([0x89, 0x80, 0, 0, 0, 0])])
}
