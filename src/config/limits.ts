/** Settings for times and limits, declared like those in `settings.ts`. */
import { bytes, count, LONGEST_AGE_SECONDS, MAX_COUNT, seconds, setting } from './values.ts'

const LONGEST_KEEP_ALIVE_SECONDS = 86_400

export const TIMING = {
  heartbeat_interval: setting(
    seconds(0.001),
    5,
    'Seconds between two heartbeats on each WebSocket and event stream. Heartbeats keep proxies from closing the ' +
      'socket and, on a WebSocket, detect clients that are gone.',
  ),
  gc_conns_after: setting(
    seconds(0.001),
    15,
    'Seconds that a connection may exist without a WebSocket, an event stream or a poll. After that the server ' +
      'removes it, and it parts from its channels. Event streams end, and are opened again, within this time.',
  ),
  resume_window: setting(
    seconds(0),
    15,
    'Seconds in which a client that lost its WebSocket without a close may reconnect with its conn_id and ' +
      'catch up. It stays in its channels meanwhile. 0: a lost WebSocket ends the connection.',
  ),
  gc_users_after: setting(
    seconds(0, LONGEST_AGE_SECONDS),
    86_400,
    'Seconds after which a user without connections is removed, together with the state of that user. ' +
      '0: at the next sweep.',
  ),
  gc_channels_after: setting(
    seconds(0, LONGEST_AGE_SECONDS),
    259_200,
    'Seconds without members and without messages after which a channel is removed, together with its history ' +
      'and its settings. 0: at the next sweep.',
  ),
  history_ttl: setting(
    count(0, LONGEST_AGE_SECONDS, 'of seconds '),
    0,
    'Seconds for which channels keep messages, in the history and for clients that reconnect, unless the settings ' +
      'of the channel have a history_ttl. It applies to channels that are made from now on. 0: no limit.',
  ),
  wake_connections_after: setting(
    seconds(0.001),
    5,
    'Seconds after which a long poll without events is answered with an empty list.',
  ),
  poll_gather: setting(
    seconds(0),
    0.25,
    'Seconds that a long poll waits after its first event, to return the events that follow shortly after in ' +
      'the same answer. 0: it is answered at once.',
  ),
  idempotency_window: setting(
    seconds(0),
    120,
    'Seconds for which the server keeps the answer to a request with an Idempotency-Key. A retry within this ' +
      'time gets the same answer, and the request does not run again. 0: only retries that arrive while the ' +
      'first request is being answered.',
  ),
  keep_alive_timeout: setting(
    count(1, LONGEST_KEEP_ALIVE_SECONDS, 'of seconds '),
    72,
    'Seconds that an idle HTTP connection stays open for further requests. Choose more than a proxy in front of the ' +
      'server waits (nginx: keepalive_timeout of the upstream), so that the proxy closes first. Otherwise it may send a ' +
      'request on a connection that the server is just closing.',
  ),
  shutdown_delay: setting(
    seconds(0),
    0,
    'Seconds that the server goes on as before after SIGTERM, except that /health/ready answers 503. In this time ' +
      'load balancers stop sending clients to it. Then the shutdown begins.',
  ),
  shutdown_grace: setting(
    seconds(0),
    10,
    'Seconds that requests and clients have to finish when the server stops. After that their sockets are closed.',
  ),
}

export const LIMITS = {
  max_sockets: setting(
    count(0, MAX_COUNT),
    0,
    'Maximum number of open sockets on both ports together. Each WebSocket, event stream and poll has one, and idle ' +
      'connections of backends and proxies count too. Further sockets get a 503 or, if many come, are closed ' +
      'immediately. 0: as many as the open file limit allows. No value exceeds that limit.',
  ),
  max_sockets_per_address: setting(
    count(0, MAX_COUNT),
    0,
    'Maximum number of open sockets of one IP address (for IPv6, of one /64). Further sockets get a 429 or, if many ' +
      'come, are closed immediately. Behind a proxy in trusted_proxies, unanswered requests and WebSockets ' +
      'count, by the address that the proxy reports. Addresses in allow_posting_from are not limited, unless it ' +
      'allows all addresses. A network behind one address (NAT) counts as one. 0: no limit.',
  ),
  max_new_sockets_per_second: setting(
    count(0, MAX_COUNT),
    0,
    'Maximum number of new sockets per second, on average; the same number is allowed as a burst. Further sockets get ' +
      'a 503 or, if many come, are closed immediately. From proxies in trusted_proxies, only new WebSockets count. ' +
      'Addresses in allow_posting_from do not count, unless it allows all addresses. 0: no limit.',
  ),
  channel_frames: setting(
    count(0, MAX_COUNT),
    100,
    'Events kept per channel for clients that reconnect. A client that missed more gets a gap event and must ' +
      'reload. 0: none, so a client that missed anything gets a gap event.',
  ),
  user_frames: setting(
    count(0, MAX_COUNT),
    50,
    'Events kept per user, such as private messages. Works like channel_frames.',
  ),
  max_history_size: setting(
    count(0, MAX_COUNT),
    1000,
    'The largest history_size that a backend may set for a channel. A larger one is rejected with 422.',
  ),
  max_body_bytes: setting(
    bytes,
    1_048_576,
    'The largest request body in bytes. A larger one is rejected with 413.',
  ),
  max_bodies_bytes: setting(
    bytes,
    134_217_728,
    'Total bytes of all request bodies that are being read at the same time. A request that does not fit is ' +
      'rejected with 503 and Retry-After. The minimum is max_body_bytes; lower values mean the same.',
  ),
  max_messages_per_request: setting(
    count(1, MAX_COUNT),
    5000,
    'Maximum number of messages in one request. A request with more is rejected with 422, and none is sent.',
  ),
  max_users_per_message: setting(
    count(1, MAX_COUNT),
    20_000,
    'Maximum number of users in pm_users, and also in exclude_users, of one message. A request with more is rejected ' +
      'with 422, and none of its messages is sent.',
  ),
  max_channels_per_request: setting(
    count(1, MAX_COUNT),
    1000,
    'Maximum number of channels in one request. A request with more is rejected with 422.',
  ),
  max_channels_per_message: setting(
    count(1, MAX_COUNT),
    100,
    'Maximum number of channels of one message. Each of them also counts as a message for max_messages_per_request. ' +
      'A request with more is rejected with 422, and none of its messages is sent.',
  ),
  max_counts_per_request: setting(
    count(1, MAX_COUNT),
    10_000,
    'Maximum number of channels, and also of users, that one /info with counts or users may name. A request with more ' +
      'is rejected with 422.',
  ),
  max_state_bytes: setting(
    bytes,
    65_536,
    'The largest user state in bytes of JSON. The list of its public keys has the same limit. A request that ' +
      'would exceed it is rejected with 422.',
  ),
  max_frame_bytes: setting(
    bytes,
    65_536,
    'The largest frame in bytes that a client may send over its WebSocket. A larger one closes the WebSocket with 1009.',
  ),
  max_client_messages_per_second: setting(
    count(0, MAX_COUNT),
    50,
    'WebSocket frames that a client may send per second, averaged over a heartbeat interval. A client that ' +
      'sends more is disconnected. 0: no limit.',
  ),
  max_outbox_bytes: setting(
    bytes,
    1_048_576,
    'Bytes that may be queued for a slow consumer. Above that the server closes its socket. The client may ' +
      'reconnect and catch up.',
  ),
  max_cached_signatures: setting(
    count(0, MAX_COUNT),
    1000,
    'Number of verified signatures that are cached until they expire. Above that the oldest are removed. ' +
      '0: no cache.',
  ),
  max_idempotency_bytes: setting(
    bytes,
    33_554_432,
    'Maximum total size of the answers kept for requests with an Idempotency-Key; each answer counts as its bytes ' +
      'plus 512. Above that the oldest are removed early, and a retry of their requests runs again. With redis_url, the limit applies to ' +
      'all servers together.',
  ),
  presence_list_limit: setting(
    count(0, MAX_COUNT),
    1000,
    'Maximum number of users listed in presence events of channels with broadcast_presence_with_user_lists. ' +
      'users_total gives the total number of users. 0: none are listed.',
  ),
}
