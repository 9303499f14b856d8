/** Requests with places that the load generator fills in; their widths are those of ../load/load.h. */

/** `~channel.publisher.sequence.microseconds~`, which the generator knows again in what arrives. */
export const STAMP = '@stamp@'.padEnd(38, '@')
/** `c00000` and up. */
export const CHANNEL = '@chan@'
/** Twelve digits, another number in each request. */
export const NUMBER = '@number@'.padEnd(12, '@')
/** A signature of now. */
export const SIGNATURE = '@sign@'.padEnd(40, '@')

/** @param {number} index */
export const channelName = (index) => `c${String(index).padStart(5, '0')}`

/** What `NUMBER` becomes in request `index`. */
export const numberText = (index) => String(index).padStart(12, '0')

/**
 * A whole POST, as bytes on the wire.
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

/** A payload with a stamp, as long as it takes. */
export const payload = (fillerBytes) => STAMP + 'x'.repeat(fillerBytes)

/**
 * A text frame of a client, masked with zeros, which leave it readable, and an empty ping behind it: what publishes on a
 * WebSocket (../load/publishers.c).
 *
 * @param {string} text of 126 to 65,535 bytes, or it is filled up with spaces
 */
export function frame(text) {
  const body = Buffer.from(text.padEnd(126))
  const head = [0x81, 0x80 | 126, body.length >> 8, body.length & 0xff, 0, 0, 0, 0]
  return Buffer.concat([Buffer.from(head), body, Buffer.from([0x89, 0x80, 0, 0, 0, 0])])
}
