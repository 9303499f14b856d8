/** Request bodies that nobody reads, because the request was answered from its headers or refused halfway. */
import { paceReading } from './paced-reading.ts'
import { discardInput, endSoon } from './unread.ts'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'

export interface UnreadRest {
  /** Whether so much is still to come that it is better to close the socket. */
  readonly isLong: boolean
  /** Discards the rest. The socket closes after the answer, which must say so. */
  leave(): void
}

/**
 * Longer bodies close their socket. Node reads shorter ones to the end, so that the client can keep using the socket.
 */
const SHORT_BYTES = 65_536

/**
 * Returns the unread body of a request that is being answered. Undefined if it is complete, empty, or declared to be
 * short.
 */
export function restOf(request: IncomingMessage): UnreadRest | undefined {
  if (request.complete) return undefined
  if (request.headers['transfer-encoding'] !== undefined) return chunkedRest(request)
  return (announcedLength(request) ?? 0) > SHORT_BYTES ? new Rest(request) : undefined
}

/** A chunked body has no known length, and its chunks may have one byte each. They are discarded, and read slowly. */
function chunkedRest(request: IncomingMessage): UnreadRest {
  request.resume()
  paceReading(request.socket)
  return new Rest(request)
}

/** Returns the `Content-Length` of a request. Undefined if it has none. */
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
    discardInput(socket)
    // Node calls this after an answer that closes its socket.
    socket.destroySoon = endThisSoon
  }
}

function endThisSoon(this: Socket): void {
  endSoon(this)
}
