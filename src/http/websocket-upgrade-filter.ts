import { requestsWithUpgrades } from '../net/messages.ts'

/**
 * A request that is an upgrade only if it asks for a WebSocket.
 *
 * Node hands every request with an `Upgrade` header to the server's upgrade listener, and its body is lost then. Java's
 * HttpClient, `curl --http2` and others offer `h2c` on ordinary requests, which a server may pass over (RFC 9110, 7.8).
 */
export const WebSocketUpgradeFilter = requestsWithUpgrades(
  ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket',
)
