/** Addresses of Unix domain sockets in settings: `unix:` and an absolute path. */

const PREFIX = 'unix:'
/** What fits the address of a socket on every system. Longer paths would be cut off. */
const MAX_BYTES = 103

/** Returns the path of a socket. Undefined for every other address. */
export const unixPathOf = (host: string): string | undefined =>
  host.startsWith(PREFIX) ? host.slice(PREFIX.length) : undefined

/** Whether a socket can have this path. */
export const isSocketPath = (path: string): boolean =>
  /^\/[^\0\r\n]*[^\0\r\n/]$/.test(path) && Buffer.byteLength(path) <= MAX_BYTES
