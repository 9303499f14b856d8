import { PacedQueue } from '../lib/paced-queue.ts'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** How long a client may take to read what it was answered, while it still sends. */
const LINGER_MS = 1000

/** Sockets that go for good. Thousands may at once: what each of them brings with it is spread over several turns. */
const cuts = new PacedQueue({ now: () => performance.now(), soon: setImmediate })

/** Destroys a socket, now or, where many are cut at once, in one of the next turns of the event loop. */
export function cut(socket: Duplex): void {
  cuts.run(() => socket.destroy())
}

/** Does something for a socket that ends its life, like `cut`. */
export function windUp(task: () => void): void {
  cuts.run(task)
}

/** Cuts a socket of an HTTP server that was idle too long; for the server's event `timeout`. */
export function cutIdle(socket: Socket): void {
  cuts.run(() => {
    // Zero: a request came meanwhile.
    if (socket.timeout !== 0) socket.destroy()
  })
}

/**
 * What a client still sends on this socket is taken off the network and thrown away; nobody looks at it. Cut at once, the
 * socket would be reset, and the client might lose the answer that is on its way to it.
 */
export function throwAway(socket: Duplex): void {
  // Those who read it. Node takes an HTTP server's parser off a socket that somebody else listens to.
  socket.removeAllListeners('data')
  socket.on('data', () => {})
  socket.resume()
}

/** Ends a socket, and cuts it a little later if the client has not closed it by then. */
export function endSoon(socket: Duplex): void {
  socket.end()
  const timer = setTimeout(() => cut(socket), LINGER_MS).unref()
  socket.once('close', () => clearTimeout(timer))
}
