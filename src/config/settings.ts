/**
 * The settings, but for times and limits (`limits.ts`): name, type, default and documentation, declared
 * once. The example file, the page `docs/configuration.md`, `--help` and `make-config` are made of this.
 */
import {
  addresses,
  bytes,
  count,
  host,
  MAX_COUNT,
  moduleName,
  OLD_SIGNER,
  oneOf,
  origins,
  redisPrefix,
  redisUrl,
  seconds,
  storeUrl,
  setting,
  text,
  trueOrFalse,
} from './values.ts'

const secret = (fallback: string, description: string) => setting(text, fallback, description, true)

export const LISTENING = {
  host: setting(
    host,
    '0.0.0.0',
    'The address to listen on; 0.0.0.0 and :: mean every network of this machine. While secret or ' +
      'admin_secret is still its default, which everybody knows, the default is 127.0.0.1, and asking ' +
      'for an address that others can reach stops the start.',
  ),
  port: setting(
    count(0, 65_535),
    8000,
    'The TCP port to listen on. 0 lets the system choose one; it is told in the log.',
  ),
}

export const SECRETS = {
  secret: secret(
    'secret',
    'What backends sign their requests with. Whoever has it may do everything. Make one with ' +
      '`channelstream make-config -o channelstream.ini`.',
  ),
  admin_user: setting(text, 'admin', 'The user name for the admin pages.'),
  admin_secret: secret(
    'admin_secret',
    'The password for the admin pages. Make one with `channelstream make-config -o channelstream.ini`.',
  ),
  cookie_secret: secret(
    '',
    'Changing it signs every administrator out, as changing admin_user or admin_secret does. May be empty. ' +
      'Servers that share a Redis need the same.',
  ),
}

export const CALLERS = {
  allow_posting_from: setting(
    addresses,
    ['127.0.0.1'],
    'From where backends may call, beside having to sign. Others are refused with 403. The entry ' +
      '0.0.0.0 means everyone; the signature alone then decides.',
  ),
  allow_metrics_from: setting(
    addresses,
    ['127.0.0.1', '::1'],
    'IP addresses that may read /metrics without a signature. 0.0.0.0: everyone. Empty: nobody. A request that a ' +
      'proxy on this machine passed on does not count as from this machine, unless the proxy is in ' +
      'trusted_proxies and sends X-Forwarded-For.',
  ),
  trusted_proxies: setting(
    addresses,
    [],
    'Reverse proxies in front of this server. X-Forwarded-For and X-Forwarded-Proto count only from ' +
      'these. X-Script-Name, X-Scheme and X-URL-Scheme, which only shape paths and links, count from ' +
      'these and, while the list is empty, from loopback, as nginx configurations written for the ' +
      'Python server expect. A proxy has to set or remove each of them.',
  ),
  allow_cors: setting(
    origins,
    [],
    'Websites whose pages may call and listen. A host such as example.com covers its subdomains, by ' +
      'any scheme and port, or the one port of example.com:8080; an origin such as ' +
      'https://app.example.com covers only itself. Empty, and the entry *: every website.',
  ),
  validate_requests: setting(
    trueOrFalse,
    true,
    'Whether a signature grows too old. false accepts signatures of any age, so that a request seen ' +
      'once can be repeated for ever; wrong ones are refused either way.',
  ),
  signature_checker: setting(
    moduleName,
    '',
    'A module to check signatures instead of the built-in one: a specifier or a path. Empty, and the ' +
      `${OLD_SIGNER} of old files: the built-in one, which reads the TimestampSigner of itsdangerous.`,
  ),
  signature_scope: setting(
    oneOf<'any' | 'endpoint'>({ any: 'any', endpoint: 'endpoint' }),
    'any',
    'What a signature has to be for. any: every text signed with the secret opens every endpoint, as ' +
      'in the Python server. endpoint: the signed text has to be the path that is called.',
  ),
}

export const PHILOTE = {
  philote_port: setting(
    count(0, 65_535),
    0,
    'The TCP port on which Philote clients are served beside everybody else; their own default is 6380. ' +
      '0: none are. See docs/philote.md.',
  ),
  philote_host: setting(
    host,
    '0.0.0.0',
    'The address for Philote clients. While philote_secret and philote_redis_url are empty, the default ' +
      'is 127.0.0.1, and asking for an address that others can reach stops the start.',
  ),
  philote_secret: secret(
    '',
    'What the tokens of Philote clients are signed with (HS256, HS384 or HS512). Empty: everybody can ' +
      'sign tokens.',
  ),
  philote_max_connections: setting(
    count(0, MAX_COUNT),
    255,
    'Philote clients with tokens that are connected at a time. More are dropped as soon as they are connected.',
  ),
  philote_check_origin: setting(
    trueOrFalse,
    false,
    'Whether browsers may connect to Philote only from pages whose host and port are those that they connect to.',
  ),
  philote_redis_url: setting(
    redisUrl,
    '',
    'A Redis with the access keys and channels of Philote 0.1, as redis://[:password@]host[:port][/database]. ' +
      'Its clients are served instead of those with tokens. Empty: no Redis.',
    true,
  ),
  philote_max_frame_bytes: setting(
    bytes,
    1_048_576,
    'The largest message that a Philote client may send. A larger one closes its WebSocket with 1009.',
  ),
  philote_max_messages_per_second: setting(
    count(0, MAX_COUNT),
    5000,
    'Messages, pings and pongs that a Philote client may send per second, as an average over a heartbeat ' +
      'interval. One that sends more is closed. 0: no limit.',
  ),
}

export const SCALING = {
  redis_url: setting(
    storeUrl,
    '',
    'The Redis (7.0 or newer, or Valkey) that several servers share; everything that a server knows is kept there. ' +
      'Empty: this server is alone and keeps everything in its memory. See docs/scaling.md.',
    true,
  ),
  redis_prefix: setting(
    redisPrefix,
    'channelstream',
    'What names in Redis begin with, in braces. Installations that share a Redis need different ones; the ' +
      'servers of one installation the same.',
  ),
  redis_connect_timeout: setting(
    seconds(0.1),
    10,
    'How long a server that starts tries to reach Redis, in seconds, before it gives up and says why.',
  ),
  redis_timeout: setting(
    seconds(0.1),
    5,
    'How long Redis may take to answer, in seconds. After that requests are answered with 503 until it is back.',
  ),
}

export const LINKS = {
  enforce_https: setting(
    trueOrFalse,
    false,
    'Whether requests that did not come by https are refused with 406. Behind a proxy that ends TLS, ' +
      'the scheme is what the proxy says; see trusted_proxies.',
  ),
  http_scheme: setting(
    oneOf<'' | 'http' | 'https'>({ http: 'http', https: 'https' }),
    '',
    'The scheme that clients come by where no proxy tells it: with https the cookie of the admin pages is ' +
      'Secure, and redirects are https if the Host is the address of this server. Empty: that of the request. ' +
      'Means nothing to enforce_https.',
  ),
}

export const LOGGING = {
  debug: setting(
    trueOrFalse,
    false,
    'Whether to log at level debug, if log_level does not say trace, which is more.',
  ),
  log_level: setting(
    oneOf({
      trace: 'trace',
      debug: 'debug',
      info: 'info',
      warning: 'warn',
      warn: 'warn',
      error: 'error',
      critical: 'fatal',
      fatal: 'fatal',
      silent: 'silent',
    }),
    'info',
    'The least severe level that is logged, in any letter case. warning is warn, critical is fatal. ' +
      'silent logs nothing.',
  ),
}
