/**
 * All settings except times and limits (`limits.ts`): name, type, default and documentation, declared
 * once. The example file, the page `docs/configuration.md`, `--help` and `make-config` are generated from this.
 */
import {
  addresses,
  bytes,
  count,
  fileMode,
  host,
  listenHost,
  MAX_COUNT,
  moduleName,
  OLD_SIGNER,
  oneOf,
  origins,
  redisUrl,
  secretLines,
  setting,
  text,
  trueOrFalse,
} from './values.ts'

/** See `data_sync`. */
type SyncMode = 'commit' | 'interval' | 'off'

const secret = (fallback: string, description: string) => setting(text, fallback, description, true)
const fallbacks = (description: string) => setting(secretLines, [], description, true)

export const LISTENING = {
  host: setting(
    listenHost,
    '0.0.0.0',
    'The address to listen on. 0.0.0.0 and :: mean all addresses of this machine. unix: and a path: a Unix domain ' +
      'socket for a proxy on this machine, which is trusted like those in trusted_proxies. While secret or ' +
      'admin_secret has its default value, which is public, the default is 127.0.0.1, and the server ' +
      'refuses to start with an address that other machines can reach.',
  ),
  port: setting(
    count(0, 65_535),
    8000,
    'The TCP port to listen on. 0: the system chooses a free port, which the log shows.',
  ),
  unix_socket_mode: setting(
    fileMode,
    '0660',
    'Who may connect to the Unix domain socket of host: the mode of its file, as for chmod. 660: the user and the ' +
      'group of the server.',
  ),
}

export const SECRETS = {
  secret: secret(
    'secret',
    'The key that backends sign their requests with. Anyone who has it has full access to the API. ' +
      'Generate one with `channelstream make-config -o channelstream.ini`.',
  ),
  secret_fallbacks: fallbacks(
    'Other values of secret that signatures may be made with: the former one, or the next one, while backends change. ' +
      'The server itself signs with secret only. See docs/operations.md.',
  ),
  admin_user: setting(text, 'admin', 'The user name for the admin pages.'),
  admin_secret: secret(
    'admin_secret',
    'The password for the admin pages. Generate one with `channelstream make-config -o channelstream.ini`.',
  ),
  admin_secret_fallbacks: fallbacks(
    'Other values of admin_secret whose sessions stay open, so that a new password signs nobody out. Nobody can sign ' +
      'in with them: only admin_secret is the password.',
  ),
  cookie_secret: secret(
    '',
    'An additional secret for admin sessions. Changing it signs out all administrators, as changing admin_user does, ' +
      'and changing admin_secret without admin_secret_fallbacks. May be empty. ' +
      'Servers that share a Redis need the same value.',
  ),
}

export const CALLERS = {
  allow_posting_from: setting(
    addresses,
    ['127.0.0.1'],
    'IP addresses that may call the backend API. Requests must be signed as well. Other addresses get a 403. ' +
      '0.0.0.0: all addresses, so only the signature protects the API.',
  ),
  allow_metrics_from: setting(
    addresses,
    ['127.0.0.1', '::1'],
    'IP addresses that may read /metrics without a signature. 0.0.0.0: all addresses. An empty value means the ' +
      'default; to allow none, use an address that no client has, such as 192.0.2.1. A request ' +
      'forwarded by a proxy on this machine does not count as local, unless the proxy is in ' +
      'trusted_proxies and sends X-Forwarded-For.',
  ),
  trusted_proxies: setting(
    addresses,
    [],
    'Reverse proxies in front of this server. X-Forwarded-For and X-Forwarded-Proto are trusted only from ' +
      'these. X-Script-Name, X-Scheme and X-URL-Scheme only affect paths and links. They are trusted from ' +
      'these proxies and, while the list is empty, from loopback, as nginx configurations written for the ' +
      'Python server expect. A proxy must set or remove each of these headers.',
  ),
  allow_cors: setting(
    origins,
    [],
    'Websites whose pages may use this server. A host such as example.com includes its subdomains, with ' +
      'any scheme and port; example.com:8080 includes only that port. An origin such as ' +
      'https://app.example.com, capacitor://localhost or app://. includes only itself. file:// are local files in ' +
      'Electron, Cordova and WebViews that let files read each other. null are local files elsewhere, and also a ' +
      'sandboxed frame of any website. Empty, or an entry *: all websites.',
  ),
  validate_requests: setting(
    trueOrFalse,
    true,
    'Reject signatures older than 60 seconds. false accepts signatures of any age, so anyone who sees a signed ' +
      'request can replay it forever. Wrong signatures are rejected either way.',
  ),
  signature_checker: setting(
    moduleName,
    '',
    'A module that checks signatures instead of the built-in check: a package name or a path. Empty, or the ' +
      `${OLD_SIGNER} of old files: the built-in check, which reads the TimestampSigner format of itsdangerous.`,
  ),
  signature_scope: setting(
    oneOf<'any' | 'endpoint'>({ any: 'any', endpoint: 'endpoint' }),
    'any',
    'What a signature is valid for. any: any text signed with the secret is valid for every endpoint, as ' +
      'in the Python server. endpoint: the signed text must be the path of the request.',
  ),
}

export const PHILOTE = {
  philote_port: setting(
    count(0, 65_535),
    0,
    'The TCP port for Philote clients, in addition to the main port. Philote itself uses 6380 by default. ' +
      '0: no Philote port. See docs/philote.md.',
  ),
  philote_host: setting(
    host,
    '0.0.0.0',
    'The address for Philote clients. While philote_secret and philote_redis_url are empty, the default ' +
      'is 127.0.0.1, and the server refuses to start with an address that other machines can reach.',
  ),
  philote_secret: secret(
    '',
    'The key that tokens of Philote clients are signed with (HS256, HS384 or HS512). Empty: anyone can ' +
      'sign tokens.',
  ),
  philote_secret_fallbacks: fallbacks(
    'Other values of philote_secret that tokens may be signed with. Works like secret_fallbacks.',
  ),
  philote_max_connections: setting(
    count(0, MAX_COUNT),
    255,
    'Maximum number of Philote clients with tokens that are connected at the same time. Further clients are ' +
      'dropped as soon as they connect.',
  ),
  philote_check_origin: setting(
    trueOrFalse,
    false,
    'On the Philote port, accept a browser only if its page has the same host and port as the address that it ' +
      'connects to.',
  ),
  philote_redis_url: setting(
    redisUrl,
    '',
    'A Redis with the access keys and channels of Philote 0.1, as redis://[:password@]host[:port][/database]. ' +
      'The server then serves clients of Philote 0.1 instead of those with tokens. Empty: no Redis.',
    true,
  ),
  philote_max_frame_bytes: setting(
    bytes,
    1_048_576,
    'The largest message that a Philote client may send. A larger message closes its WebSocket with 1009.',
  ),
  philote_max_messages_per_second: setting(
    count(0, MAX_COUNT),
    5000,
    'Messages, pings and pongs that a Philote client may send per second, averaged over a heartbeat ' +
      'interval. A client that sends more is disconnected. 0: no limit.',
  ),
}

export const STORAGE = {
  data_dir: setting(
    text,
    '',
    'A directory in which a single server keeps all its data, so that a restart or a crash loses nothing. It is created ' +
      'if it does not exist, and belongs to this server alone. A relative path begins at the working directory. ' +
      'Empty: data is kept in memory only. Cannot be combined with redis_url. See docs/durability.md.',
  ),
  data_sync: setting(
    oneOf<SyncMode>({ commit: 'commit', interval: 'interval', off: 'off' }),
    'interval',
    'When changes in data_dir are forced onto the disk, for the case that the machine fails. commit: before each ' +
      'answer. interval: every second, so a power failure loses at most the changes of about a second. off: when the system does it ' +
      'by itself. A crash of the server alone loses nothing in any case.',
  ),
}

export const LINKS = {
  enforce_https: setting(
    trueOrFalse,
    false,
    'Reject requests that did not use https, with 406, except for /health and /metrics. Behind a proxy that ' +
      'terminates TLS, the proxy reports the scheme; see trusted_proxies.',
  ),
  http_scheme: setting(
    oneOf<'' | 'http' | 'https'>({ http: 'http', https: 'https' }),
    '',
    'The scheme that clients use, if no proxy reports it. With https, the cookie of the admin pages is ' +
      'Secure, and redirects use https if the Host is the address of this server. Empty: the scheme of the ' +
      'request. Does not affect enforce_https.',
  ),
}
