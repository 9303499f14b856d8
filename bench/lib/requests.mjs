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
