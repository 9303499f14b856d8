import type { Server } from 'node:net'

/** The number of the first file descriptor that a supervisor passes on. */
const FIRST = 3
const PHILOTE = 'philote'

export const NOT_TCP = 'the supervisor passed something that is not a listening socket of TCP'

/** File descriptors of listening sockets. */
export interface PassedSockets {
  readonly http?: number
  readonly philote?: number
}

/**
 * Returns the sockets that a supervisor has opened for this process. They stay open while it restarts the server, so
 * that nobody is refused meanwhile. Throws if there are others than the server can use: nobody would answer at these.
 *
 * Source: sd_listen_fds(3).
 */
export function passedSockets(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): PassedSockets {
  const count = Number(env['LISTEN_FDS'] ?? 0)
  // For another process: a parent has handed on its environment.
  if (env['LISTEN_PID'] !== String(pid) || !(count > 0)) return {}
  const names = (env['LISTEN_FDNAMES'] ?? '').split(':')
  const numbers = Array.from({ length: count }, (_, index) => index)
  const philote = numbers.filter((index) => names[index] === PHILOTE)
  const http = numbers.filter((index) => names[index] !== PHILOTE)
  if (http.length > 1 || philote.length > 1)
    throw new Error(
      `the supervisor passed ${count} sockets. There may be one for the server, and one with FileDescriptorName=${PHILOTE}`,
    )
  return {
    ...(http[0] !== undefined && { http: FIRST + http[0] }),
    ...(philote[0] !== undefined && { philote: FIRST + philote[0] }),
  }
}

/**
 * Lets the server listen on a passed socket. Resolves with its address. Rejects unless it is a listening socket of TCP:
 * clients would have no address, which limits and rules are about.
 */
export async function bindPassed(
  server: Server,
  listen: () => Promise<unknown>,
): Promise<{ readonly host: string; readonly port: number }> {
  await listen().catch((cause: unknown) => {
    throw new Error(NOT_TCP, { cause })
  })
  const address = server.address()
  if (typeof address === 'object' && address) return { host: address.address, port: address.port }
  server.close()
  throw new Error(NOT_TCP)
}
