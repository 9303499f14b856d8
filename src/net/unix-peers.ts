import type { Server, Socket } from 'node:net'

/**
 * Sockets of clients that came by a Unix domain socket. They have no address, and neither has a client that is already
 * gone, which must not be taken for one of them.
 */
const peers = new WeakSet<object>()

/** Remembers the clients of this server if it listens on a Unix domain socket. Call it before the server listens. */
export function noteUnixPeers(server: Server): void {
  server.on('listening', () => {
    if (typeof server.address() === 'string')
      server.prependListener('connection', (socket: Socket) => void peers.add(socket))
  })
}

export const isUnixPeer = (socket: object): boolean => peers.has(socket)
