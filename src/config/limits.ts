/** The settings that are times and limits, declared like those of `settings.ts`. */
import { bytes, count, LONGEST_AGE_SECONDS, MAX_COUNT, seconds, setting } from './values.ts'

export const TIMING = {
  heartbeat_interval: setting(
    seconds(0.001),
    5,
    'Seconds between two heartbeats to each WebSocket, which keep proxies from closing it and find ' +
      'out who is gone.',
  ),
  gc_conns_after: setting(
    seconds(0.001),
    15,
    'Seconds that a connection may be without WebSocket and without poll. After that it is collected ' +
      'and its channels see it part.',
  ),
  resume_window: setting(
    seconds(0),
    15,
    'Seconds in which a WebSocket that broke off without a close may return with its conn_id and get ' +
      'what it missed. It stays a member meanwhile. 0: breaking off is leaving.',
  ),
  gc_users_after: setting(
    seconds(0, LONGEST_AGE_SECONDS),
    86_400,
    'Seconds after which a user without connections, and the state of that user, is forgotten. ' +
      '0: at the next sweep.',
  ),
  gc_channels_after: setting(
    seconds(0, LONGEST_AGE_SECONDS),
    259_200,
    'Seconds without members and without messages after which a channel, its history and its ' +
      'settings are forgotten. 0: at the next sweep.',
  ),
  wake_connections_after: setting(
    seconds(0.001),
    5,
    'Seconds after which a long poll without events is answered with an empty list.',
  ),
  poll_gather: setting(
    seconds(0),
    0.25,
    'Seconds that a long poll waits after its first event, so that one answer carries those that ' +
      'follow closely. 0: it is answered at once.',
  ),
  idempotency_window: setting(
    seconds(0),
    120,
    'Seconds for which the answer to a request with an Idempotency-Key is remembered, so that a repeat ' +
      'is answered and not done again. 0: only for repeats that come while the first is being answered.',
  ),
  shutdown_grace: setting(
    seconds(0),
    10,
    'Seconds that a stopping server gives to requests and clients to finish. What is left then is cut.',
  ),
}

export const LIMITS = {
  max_sockets: setting(
    count(0, MAX_COUNT),
    0,
    'Sockets that are open at a time, on both ports together: each WebSocket and each poll has one, and idle ' +
      'connections of backends and proxies too. More are answered with 503 or, if many come, closed at once. ' +
      '0: as many as the limit of open files allows, which no value exceeds.',
  ),
  max_sockets_per_address: setting(
    count(0, MAX_COUNT),
    0,
    'Sockets that one address (of IPv6: one /64) has open at a time. More are answered with 429 or, if many come, closed ' +
      'at once. Of what a proxy in trusted_proxies passes on, requests that are not answered yet and WebSockets are counted, ' +
      'by the address that the proxy tells. Addresses in allow_posting_from are not limited, unless it admits ' +
      'everyone. A network behind one address (NAT) counts as one. 0: no limit.',
  ),
  max_new_sockets_per_second: setting(
    count(0, MAX_COUNT),
    0,
    'Sockets that may be opened in a second, on average, and as many at once. More are answered with 503 or, if many ' +
      'come, closed at once. Of proxies in trusted_proxies only new WebSockets count; addresses in allow_posting_from do ' +
      'not, unless it admits everyone. 0: no limit.',
  ),
  channel_frames: setting(
    count(0, MAX_COUNT),
    100,
    'Events kept per channel for clients that return. One that missed more gets a gap event and has ' +
      'to reload. 0: none, every return with something missed is a gap.',
  ),
  user_frames: setting(
    count(0, MAX_COUNT),
    50,
    'Events kept per user, such as private messages; otherwise like channel_frames.',
  ),
  max_history_size: setting(
    count(0, MAX_COUNT),
    1000,
    'The largest history_size that a backend may give a channel. More is refused with 422.',
  ),
  max_body_bytes: setting(
    bytes,
    1_048_576,
    'The largest body of a request. More is refused with 413.',
  ),
  max_bodies_bytes: setting(
    bytes,
    134_217_728,
    'Bytes that the bodies of all requests may hold together while they are read. A request for which there ' +
      'is no room is refused with 503 and Retry-After. A value below max_body_bytes counts as that.',
  ),
  max_messages_per_request: setting(
    count(1, MAX_COUNT),
    5000,
    'Messages in one request. More are refused with 422, and none is sent.',
  ),
  max_users_per_message: setting(
    count(1, MAX_COUNT),
    20_000,
    'Users that one message may name in pm_users, and as many in exclude_users. More are refused with 422, ' +
      'and no message of the request is sent.',
  ),
  max_channels_per_request: setting(
    count(1, MAX_COUNT),
    1000,
    'Channels in one request. More are refused with 422.',
  ),
  max_state_bytes: setting(
    bytes,
    65_536,
    "The size of a user's state as JSON, and of the list of its public keys. A request that would make " +
      'it larger is refused with 422.',
  ),
  max_frame_bytes: setting(
    bytes,
    65_536,
    'The largest frame that a client may send over its WebSocket. A larger one closes it with 1009.',
  ),
  max_client_messages_per_second: setting(
    count(0, MAX_COUNT),
    50,
    'Frames that a client may send per second, as an average over a heartbeat interval. One that ' +
      'sends more is closed. 0: no limit.',
  ),
  max_outbox_bytes: setting(
    bytes,
    1_048_576,
    'Bytes that may wait for a client that reads too slowly. Above that its connection is closed; it ' +
      'may return and catch up.',
  ),
  max_cached_signatures: setting(
    count(0, MAX_COUNT),
    1000,
    'Checked signatures remembered until they expire, which saves checking them again. Above that ' +
      'the oldest are forgotten. 0: each is checked each time.',
  ),
  max_idempotency_bytes: setting(
    bytes,
    33_554_432,
    'Bytes of answers, and 512 for each, that are remembered for requests with an Idempotency-Key. Above ' +
      'that the oldest are forgotten before their time, and a repeat of theirs is done again. With redis_url: of ' +
      'all servers together.',
  ),
  presence_list_limit: setting(
    count(0, MAX_COUNT),
    1000,
    'Users listed in the presence events of channels with broadcast_presence_with_user_lists. In a ' +
      'larger channel the event lists so many, and users_total says how many there are. 0: none.',
  ),
}
