import { requestsWithUpgrades } from '../net/messages.ts'

/**
 * A request class whose requests are upgrades only if they ask for a WebSocket.
 *
 * Node emits `upgrade` for every request with an `Upgrade` header, and the body is lost. Java's HttpClient, `curl
 * --http2` and others offer `h2c` on ordinary requests. A server may ignore that (RFC 9110, 7.8).
 */
export const WebSocketUpgradeFilter = requestsWithUpgrades(
  ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket',
)
