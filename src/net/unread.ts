import { PacedQueue } from '../lib/paced-queue.ts'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** How long a client may take to read its answer while it is still sending. */
const LINGER_MS = 1000

/** Sockets that are being closed. There may be thousands at once, so their cleanup is spread over several turns. */
const teardowns = new PacedQueue({ now: () => performance.now(), soon: setImmediate })

/** Destroys a socket, now or, if many are destroyed at once, in a later turn of the event loop. */
export function destroyPaced(socket: Duplex): void {
  teardowns.run(() => socket.destroy())
}

/** Runs the last task of a socket, paced like `destroyPaced`. */
export function runPaced(task: () => void): void {
  teardowns.run(task)
}

/** Destroys an idle socket of an HTTP server. A listener for the server's `timeout` event. */
export function destroyIdle(socket: Socket): void {
  teardowns.run(() => {
    // It is 0 if a request arrived in the meantime.
    if (socket.timeout !== 0) socket.destroy()
  })
}

/**
 * Reads and discards everything that the client still sends. If the socket were destroyed at once, it would be reset,
 * and the client might lose the answer that is on its way.
 */
export function discardInput(socket: Duplex): void {
  // Removes the readers. Node detaches an HTTP server's parser from a socket that has another `data` listener.
  socket.removeAllListeners('data')
  socket.on('data', () => {})
  socket.resume()
}

/** Ends a socket, and destroys it a little later if the client has not closed it. */
export function endSoon(socket: Duplex): void {
  socket.end()
  const timer = setTimeout(() => destroyPaced(socket), LINGER_MS).unref()
  socket.once('close', () => clearTimeout(timer))
}
