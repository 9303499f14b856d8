/** Settings for limits on single users, declared like those in `settings.ts`. */
import { count, MAX_COUNT, names, perSecond, setting } from './values.ts'

export const USER_LIMITS = {
  max_connections_per_user: setting(
    count(0, MAX_COUNT),
    0,
    'Maximum number of connections of one user, on all servers together. A /connect that would make another one is ' +
      'answered with 429. With the conn_id of a connection of the user, it makes none. 0: no limit.',
  ),
  max_channels_per_user: setting(
    count(0, MAX_COUNT),
    0,
    'Maximum number of channels that one user is in, with all connections together. A /connect or /subscribe that ' +
      'would exceed it is answered with 429, and joins no channel. 0: no limit.',
  ),
  message_rate_per_user: setting(
    perSecond,
    0,
    'Messages per second that backends may post for one user in one channel, on average, on all servers together. ' +
      'Private messages without a channel count like a channel of their own. A /message with more is answered with ' +
      '429, and none of its messages is sent. 0.2 means one in five seconds. 0: no limit.',
  ),
  message_burst_per_user: setting(
    count(1, MAX_COUNT),
    10,
    'How many messages one user may post in one channel at once, after a pause. Only with message_rate_per_user. A ' +
      'single request with more is answered with 422, because it could never be sent.',
  ),
  unlimited_users: setting(
    names,
    [],
    'Users without these limits, such as the author of system messages. A name with a comma cannot be in the list.',
  ),
}
