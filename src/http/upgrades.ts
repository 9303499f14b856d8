import { IncomingMessage } from 'node:http'

/**
 * A request that is an upgrade only if it asks for a WebSocket.
 *
 * Node hands every request with an `Upgrade` header to the server's upgrade listener, and its body is lost then. Java's
 * HttpClient, `curl --http2` and others offer `h2c` on ordinary requests, which a server may pass over (RFC 9110, 7.8).
 */
export class WebSocketUpgradesOnly extends IncomingMessage {
  declare upgrade: boolean
}

const ASKED = Symbol('upgrade asked for')
type Marked = IncomingMessage & { [ASKED]?: boolean }

// An accessor, because the parser sets the property before it reads it back to decide.
Object.defineProperty(WebSocketUpgradesOnly.prototype, 'upgrade', {
  get(this: Marked) {
    return this[ASKED] === true && this.headers.upgrade?.toLowerCase() === 'websocket'
  },
  set(this: Marked, asked: unknown) {
    this[ASKED] = asked === true
  },
})
