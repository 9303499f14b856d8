/** Bodies that nobody reads, because their request is answered from its head, or was refused in the middle. */
import { paceReading } from './paced-reading.ts'
import { endSoon, throwAway } from './unread.ts'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'

export interface UnreadRest {
  /** Whether so much of it is still to come that its socket is better closed. */
  readonly isLong: boolean
  /** Nobody looks at what comes. The socket closes once the request is answered, which has to say so. */
  leave(): void
}

/** What Node may read to its end so that the client can go on with the socket. */
const SHORT_BYTES = 65_536

/** The body of a request that is being answered, unless it came whole, has none, or says that it is short. */
export function restOf(request: IncomingMessage): UnreadRest | undefined {
  if (request.complete) return undefined
  if (request.headers['transfer-encoding'] !== undefined) return cutUp(request)
  return (announcedLength(request) ?? 0) > SHORT_BYTES ? new Rest(request) : undefined
}

/** Nobody can tell how much there is. Its chunks may be of a byte each: they are dropped as they come, and come slowly. */
function cutUp(request: IncomingMessage): UnreadRest {
  request.resume()
  paceReading(request.socket)
  return new Rest(request)
}

/** What the head of a request says of its body. Undefined: nothing. */
export function announcedLength({ headers }: IncomingMessage): number | undefined {
  const announced = headers['content-length']
  return announced === undefined ? undefined : Number(announced)
}

class Rest implements UnreadRest {
  constructor(private readonly request: IncomingMessage) {}

  get isLong(): boolean {
    return !this.request.complete
  }

  leave(): void {
    const { socket } = this.request
    throwAway(socket)
    // What Node calls once an answer that closes its socket has left.
    socket.destroySoon = endThisSoon
  }
}

function endThisSoon(this: Socket): void {
  endSoon(this)
}
