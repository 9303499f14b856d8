/**
 * Every setting: name, type, default, limits and documentation, declared once. The example file, the
 * page `docs/configuration.md`, `--help` and `make-config` are made from this table.
 *
 * Values come as text (ini file, environment, flags) or already typed (tests, embedding, JSON).
 */
import { isIP, isIPv6 } from 'node:net'
import { z } from 'zod'

/** How values of one kind are read; `expected` says it in words, for faults and for the page. */
interface Kind<T> {
  readonly expected: string
  /** Gives `undefined` for a value that says nothing, so that the default holds. */
  readonly read: (raw: unknown) => T | Unreadable | undefined
}

/** What a {@link Kind} cannot read: the whole value, or the parts of a list that are at fault. */
class Unreadable {
  constructor(readonly found: unknown) {}
}

const TRUE_WORDS = ['true', 'yes', 'on', 'y', 't', '1']
const FALSE_WORDS = ['false', 'no', 'off', 'n', 'f', '0']
/** What a timer of Node can wait for; longer ones would fire at once. About 24 days. */
const LONGEST_TIMER_SECONDS = 2_147_483
const LONGEST_AGE_SECONDS = 1_000_000_000
const MAX_COUNT = 1_000_000
const MAX_BYTES = 1_073_741_824

const trueOrFalse: Kind<boolean> = {
  expected: 'true or false (also yes/no, on/off, y/n, t/f, 1/0)',
  read: (raw) => asBoolean(raw) ?? new Unreadable(raw),
}

const count = (least: number, most: number, of = ''): Kind<number> => ({
  expected: `a whole number ${of}from ${least} to ${most}`,
  read(raw) {
    const value = toNumber(raw, /^\+?\d+$/)
    return Number.isInteger(value) && value >= least && value <= most ? value : new Unreadable(raw)
  },
})

const bytes = count(1, MAX_BYTES, 'of bytes ')

const seconds = (least: number, most = LONGEST_TIMER_SECONDS): Kind<number> => ({
  expected: `seconds, from ${least} to ${most}, fractions allowed`,
  read(raw) {
    const value = toNumber(raw, /^\+?(\d+(\.\d*)?|\.\d+)$/)
    return value >= least && value <= most ? value : new Unreadable(raw)
  },
})

const text: Kind<string> = {
  expected: 'text on one line',
  read: (raw) => (typeof raw === 'string' && !/[\r\n\0]/.test(raw) ? raw : new Unreadable(raw)),
}

const host: Kind<string> = {
  expected: 'an address such as 127.0.0.1 or ::, or a host name, without scheme, port or brackets',
  read(raw) {
    const value = typeof raw === 'string' ? raw.trim() : ''
    const isName = /^[a-z\d_][\w.-]{0,252}$/i.test(value) && !/^[\d.]+$/.test(value)
    return isName || isIP(value) > 0 ? value : new Unreadable(raw)
  },
}

const OLD_SIGNER = 'channelstream.utils.DefaultSigner'
const moduleName: Kind<string> = {
  expected: 'the specifier or path of a module',
  read: (raw) => (raw === OLD_SIGNER ? '' : text.read(raw)),
}

const addresses = listOf(
  'addresses or CIDR blocks, separated by commas or new lines, such as 127.0.0.1, 10.0.0.0/8, ::1',
  (part) => {
    const [address = '', prefix = '0', ...rest] = part.split('/')
    const most = isIP(address) === 4 ? 32 : 128
    const isBlock = rest.length === 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= most
    return isIP(address) > 0 && !address.includes('%') && isBlock ? part : undefined
  },
)

const origins = listOf(
  'hosts, origins or *, separated by commas or new lines, such as example.com, https://app.example.org',
  (part) => {
    const value = part.replace(/^\.(?=.)/, '').replace(/\/$/, '')
    const [, authority = ''] = /^(?:[a-z][a-z\d+.-]*:\/\/)?([^\s/?#@\\%*]+)$/i.exec(value) ?? []
    const isHost = isIPv6(value) || URL.canParse(`http://${authority}`)
    return value === '*' || isHost ? value : undefined
  },
)

/** Words in any letter case, each with what it stands for. */
function oneOf<T extends string>(words: Readonly<Record<string, T>>): Kind<T> {
  const meanings = new Map(Object.entries(words))
  return {
    expected: `one of ${[...meanings.keys()].join(', ')}`,
    read: (raw) =>
      (typeof raw === 'string' ? meanings.get(raw.trim().toLowerCase()) : undefined) ??
      new Unreadable(raw),
  }
}

/** Text is split at commas and line ends, empty parts are passed over; nothing left says nothing. */
function listOf(
  expected: string,
  readPart: (part: string) => string | undefined,
): Kind<readonly string[]> {
  return {
    expected,
    read(raw) {
      const given: unknown = typeof raw === 'string' ? raw.split(/[,\n]/) : raw
      if (!isTextList(given)) return new Unreadable(raw)
      const parts = given.map((part) => part.trim()).filter((part) => part !== '')
      if (parts.length === 0 && typeof raw === 'string') return undefined
      const wrong = parts.filter((part) => readPart(part) === undefined)
      if (wrong.length > 0) return new Unreadable(wrong.join(', '))
      return Object.freeze(parts.flatMap((part) => readPart(part) ?? []))
    },
  }
}

/** Reads what Python's `asbool` reads, and `undefined` from everything else. */
export function asBoolean(raw: unknown): boolean | undefined {
  if (typeof raw !== 'string' && typeof raw !== 'number' && typeof raw !== 'boolean')
    return undefined
  const word = String(raw).trim().toLowerCase()
  if (TRUE_WORDS.includes(word)) return true
  return FALSE_WORDS.includes(word) ? false : undefined
}

/** Whether a value says nothing, so that the next source, and in the end the default, holds. */
export function isEmpty(raw: unknown): boolean {
  return raw === undefined || raw === null || (typeof raw === 'string' && raw.trim() === '')
}

function toNumber(raw: unknown, form: RegExp): number {
  if (typeof raw === 'string') return form.test(raw.trim()) ? Number(raw) : NaN
  return typeof raw === 'number' ? raw : NaN
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((part) => typeof part === 'string')
}

/** What a setting's schema carries beside its type. */
interface About {
  readonly expected: string
  readonly description: string
  readonly isSecret: boolean
  readonly isSwitch: boolean
}

const ABOUT = z.registry<About>()

function setting<T>(kind: Kind<T>, fallback: NoInfer<T>, description: string, isSecret = false) {
  return z
    .unknown()
    .optional()
    .transform((raw, context): T => {
      const value = isEmpty(raw) ? undefined : kind.read(raw)
      if (!(value instanceof Unreadable)) return value ?? fallback
      const found = isSecret ? '' : `${shorten(JSON.stringify(value.found))} found, `
      context.addIssue({ code: 'custom', message: `${found}expected ${kind.expected}` })
      return z.NEVER
    })
    .register(ABOUT, {
      expected: kind.expected,
      description,
      isSecret,
      isSwitch: (kind as Kind<unknown>) === trueOrFalse,
    })
}

const secret = (fallback: string, description: string) => setting(text, fallback, description, true)

function shorten(shown: string): string {
  return shown.length > 80 ? `${shown.slice(0, 77)}…` : shown
}

const LISTENING = {
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

const SECRETS = {
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
    'What the cookies of the admin pages are signed with. Empty: a random one at each start, so that ' +
      'administrators sign in again after a restart. Several servers behind one address need the same.',
  ),
}

const CALLERS = {
  allow_posting_from: setting(
    addresses,
    ['127.0.0.1'],
    'From where backends may call, beside having to sign. Others are refused with 403. The entry ' +
      '0.0.0.0 means everyone; the signature alone then decides.',
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

const LINKS = {
  enforce_https: setting(
    trueOrFalse,
    false,
    'Whether requests that did not come by https are refused with 406. Behind a proxy that ends TLS, ' +
      'the scheme is what the proxy says; see trusted_proxies.',
  ),
  http_scheme: setting(
    oneOf<'' | 'http' | 'https'>({ http: 'http', https: 'https' }),
    '',
    'The scheme of every link and redirect, and of every request as far as enforce_https goes. ' +
      'Empty: that of the request.',
  ),
}

const LOGGING = {
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

const TIMING = {
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
  shutdown_grace: setting(
    seconds(0),
    10,
    'Seconds that a stopping server gives to requests and clients to finish. What is left then is cut.',
  ),
}

const LIMITS = {
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
  max_messages_per_request: setting(
    count(1, MAX_COUNT),
    5000,
    'Messages in one request. More are refused with 422, and none is sent.',
  ),
  max_channels_per_request: setting(
    count(1, MAX_COUNT),
    1000,
    'Channels in one request. More are refused with 422.',
  ),
  max_state_bytes: setting(
    bytes,
    65_536,
    "The size of a user's state as JSON. A request that would make it larger is refused with 422.",
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
  presence_list_limit: setting(
    count(0, MAX_COUNT),
    1000,
    'Users listed in the presence events of channels with broadcast_presence_with_user_lists. In a ' +
      'larger channel the event lists so many, and users_total says how many there are. 0: none.',
  ),
}

/** The settings by section, in the order of the page and of the example file. */
const SECTIONS = {
  Listening: LISTENING,
  Secrets: SECRETS,
  'Who may call': CALLERS,
  Links: LINKS,
  Logging: LOGGING,
  Timing: TIMING,
  'Memory and limits': LIMITS,
}

/**
 * Reads an object of settings by their names; what is missing or empty gets its default. Unknown names
 * are faults. Use `loadConfig` or `parseConfig`, which know the rules between settings as well.
 */
export const ConfigSchema = z.strictObject({
  ...LISTENING,
  ...SECRETS,
  ...CALLERS,
  ...LINKS,
  ...LOGGING,
  ...TIMING,
  ...LIMITS,
})

/** Every setting with its value, by the name that it has in the ini file. Frozen. */
export type Config = Readonly<z.output<typeof ConfigSchema>>
export type SettingName = keyof Config

/** One setting, as documented. */
export interface Setting extends About {
  readonly name: SettingName
  readonly section: string
  readonly default: Config[SettingName]
  /** The environment variable, such as `CHANNELSTREAM_PORT`. */
  readonly variable: string
  /** The flag, such as `--heartbeat-interval`. */
  readonly flag: string
}

/** Every setting, in the order of the page and of the example file. */
export const SETTINGS: readonly Setting[] = Object.entries(SECTIONS).flatMap(([section, shape]) =>
  Object.keys(shape).map((name) => describeSetting(name as SettingName, section)),
)

/** Settings by their names. A map, so that `constructor` is as unknown as any other name. */
export const SETTING_BY_NAME: ReadonlyMap<string, Setting> = new Map(
  SETTINGS.map((setting) => [setting.name, setting]),
)

/** Settings of the Python server that mean nothing here, with what to tell those who still have them. */
export const OLD_SETTINGS: ReadonlyMap<string, string> = new Map([
  ['demo', 'this server has no demo built in; the demos are applications of their own'],
  ['demo_app_url', 'this server has no demo built in; the demos are applications of their own'],
])

function describeSetting(name: SettingName, section: string): Setting {
  const schema = ConfigSchema.shape[name]
  const about = ABOUT.get(schema)
  if (about === undefined) throw new Error(`the setting ${name} has no description`)
  return {
    ...about,
    name,
    section,
    default: schema.parse(undefined),
    variable: `CHANNELSTREAM_${name.toUpperCase()}`,
    flag: `--${name.replaceAll('_', '-')}`,
  }
}
