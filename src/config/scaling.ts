/** Settings for servers that share a Redis, declared like those in `settings.ts`. */
import { redisPrefix, seconds, setting, storeUrl, text, type Kind } from './values.ts'

/** Text that `make-config` does not make up: another program has it. */
const password: Kind<string> = { expected: text.expected, read: text.read }

export const SCALING = {
  redis_url: setting(
    storeUrl,
    '',
    'The Redis (7.0 or newer, or Valkey) that several servers share and that holds all their data. ' +
      'Empty: a single server, which keeps everything in memory. See docs/scaling.md.',
    true,
  ),
  redis_prefix: setting(
    redisPrefix,
    'channelstream',
    'The prefix of all names in Redis. The server puts it in braces: {channelstream}. ' +
      'All servers of one installation need the same prefix. ' +
      'Installations that share a Redis need different ones.',
  ),
  redis_connect_timeout: setting(
    seconds(0.1),
    10,
    'How many seconds a starting server tries to reach Redis before it exits with an error.',
  ),
  redis_timeout: setting(
    seconds(0.1),
    5,
    'How many seconds Redis may take to answer. After that, requests get a 503 until Redis is back.',
  ),
  redis_ca_file: setting(
    text,
    '',
    'A file with the certificates of the authorities that Redis may have its certificate from, in PEM, for a rediss:// ' +
      'url of redis_url or philote_redis_url. Only these are trusted. Empty: those that Node.js trusts.',
  ),
  redis_cert_file: setting(
    text,
    '',
    'A file with the certificate that the server shows to such a Redis, in PEM, for one that asks for it. Needs ' +
      'redis_key_file.',
  ),
  redis_key_file: setting(
    text,
    '',
    'A file with the private key of redis_cert_file, in PEM and without a passphrase.',
  ),
  redis_sentinel_user: setting(
    text,
    '',
    'The user at the Sentinels of a redis+sentinel:// url. Empty: the default user.',
  ),
  redis_sentinel_password: setting(
    password,
    '',
    'The password at these Sentinels. Empty: none. That of redis_url is for Redis only.',
    true,
  ),
}
