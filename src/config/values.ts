/**
 * The kinds of values that settings can have. Values are read from text (ini file, environment, flags) or
 * are already typed (tests, embedding, JSON).
 */
import { isIP } from 'node:net'
import { z } from 'zod'
import { REDIS_URL_FORMS, loginAdvice, parseRedisUrl } from '../lib/redis-url.ts'
import { isSocketPath, unixPathOf } from '../lib/unix-path.ts'
import { parseOriginEntry } from '../lib/web-origin.ts'

/** How values of one kind are read. `expected` describes them, for faults and for the documentation page. */
export interface Kind<T> {
  readonly expected: string
  /** Returns `undefined` for an empty value, which means the default. */
  readonly read: (raw: unknown) => T | Unreadable | undefined
  /** Returns a hint about an unreadable value, or ''. The hint follows `expected` in the fault. */
  readonly advice?: (raw: unknown) => string
}

/** What a {@link Kind} cannot read: the whole value, or the invalid parts of a list. */
export class Unreadable {
  constructor(readonly found: unknown) {}
}

const TRUE_WORDS = ['true', 'yes', 'on', 'y', 't', '1']
const FALSE_WORDS = ['false', 'no', 'off', 'n', 'f', '0']
/** The longest delay of a Node timer, about 24 days. Longer ones would fire at once. */
const LONGEST_TIMER_SECONDS = 2_147_483
export const LONGEST_AGE_SECONDS = 1_000_000_000
export const MAX_COUNT = 1_000_000
const MAX_BYTES = 1_073_741_824

export const trueOrFalse: Kind<boolean> = {
  expected: 'true or false (also yes/no, on/off, y/n, t/f, 1/0)',
  read: (raw) => asBoolean(raw) ?? new Unreadable(raw),
}

export const count = (least: number, most: number, of = ''): Kind<number> => ({
  expected: `a whole number ${of}from ${least} to ${most}`,
  read(raw) {
    const value = toNumber(raw, /^\+?\d+$/)
    return Number.isInteger(value) && value >= least && value <= most ? value : new Unreadable(raw)
  },
})

export const bytes = count(1, MAX_BYTES, 'of bytes ')

export const seconds = (least: number, most = LONGEST_TIMER_SECONDS): Kind<number> => ({
  expected: `seconds, from ${least} to ${most}, fractions allowed`,
  read(raw) {
    const value = toNumber(raw, /^\+?(\d+(\.\d*)?|\.\d+)$/)
    return value >= least && value <= most ? value : new Unreadable(raw)
  },
})

export const perSecond: Kind<number> = {
  expected: `a number per second, from 0 to ${MAX_COUNT}, fractions allowed`,
  read: (raw) => seconds(0, MAX_COUNT).read(raw),
}

export const text: Kind<string> = {
  expected: 'text on one line',
  read: (raw) => (typeof raw === 'string' && isOneLine(raw) ? raw : new Unreadable(raw)),
}

const isOneLine = (raw: string): boolean => !/[\r\n\0]/.test(raw)

/** More values than a rotation needs. Each one costs an HMAC for every wrong signature. */
const MAX_FALLBACKS = 10

/** Texts of any characters, one on each line. Only empty lines are left out. */
export const secretLines: Kind<readonly string[]> = {
  expected: `up to ${MAX_FALLBACKS} texts, one on each line`,
  read(raw) {
    const given: unknown = typeof raw === 'string' ? raw.split(/\r?\n/) : raw
    if (!isTextList(given)) return new Unreadable(raw)
    const lines = given.filter((line) => line.trim() !== '')
    const isReadable = lines.length <= MAX_FALLBACKS && lines.every((line) => isOneLine(line))
    return isReadable ? Object.freeze(lines) : new Unreadable(raw)
  },
}

export const host: Kind<string> = {
  expected: 'an address such as 127.0.0.1 or ::, or a host name, without scheme, port or brackets',
  read(raw) {
    const value = typeof raw === 'string' ? raw.trim() : ''
    const isName = /^[a-z\d_][\w.-]{0,252}$/i.test(value) && !/^[\d.]+$/.test(value)
    return isName || isIP(value) > 0 ? value : new Unreadable(raw)
  },
}

/** The same, or the path of a Unix domain socket. */
export const listenHost: Kind<string> = {
  expected:
    'an address such as 127.0.0.1 or ::, or a host name, without scheme, port or brackets; or unix: and the absolute ' +
    'path of a socket, such as unix:/run/channelstream/http.sock',
  read(raw) {
    const path = unixPathOf(typeof raw === 'string' ? raw.trim() : '')
    if (path === undefined) return host.read(raw)
    return isSocketPath(path) ? `unix:${path}` : new Unreadable(raw)
  },
}

export const fileMode: Kind<string> = {
  expected: 'three octal digits, such as 660',
  read: (raw) =>
    typeof raw === 'string' && /^\s*0?[0-7]{3}\s*$/.test(raw)
      ? raw.trim().padStart(4, '0')
      : new Unreadable(raw),
}

const adviceForUrl = (raw: unknown): string => (typeof raw === 'string' ? loginAdvice(raw) : '')

/** Keeps the text as it is. It may contain a password, so faults show no part of it. */
export const redisUrl: Kind<string> = {
  expected: 'redis://[:password@]host[:port][/database]',
  read: (raw) => (typeof raw === 'string' && isSingleRedisUrl(raw) ? raw : new Unreadable(raw)),
  advice: adviceForUrl,
}

function isSingleRedisUrl(raw: string): boolean {
  if (!URL.canParse(raw)) return false
  const { protocol, username, password, hostname, pathname, search, hash } = new URL(raw)
  // With ? or # in a password, its beginning would be parsed as a port, and shown.
  const isWhole = !search.includes('@') && hash === ''
  const isDecodable = isEscaped(username) && isEscaped(password)
  const isOne = /^rediss?:$/.test(protocol) && hostname !== '' && /^(\/\d{0,5})?$/.test(pathname)
  return isOne && isWhole && isDecodable
}

/** Whether every percent sign starts a valid escape. */
function isEscaped(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

/** The same for the Redis that servers share, in all forms that `parseRedisUrl` reads. */
export const storeUrl: Kind<string> = {
  expected: REDIS_URL_FORMS,
  read: (raw) => (typeof raw === 'string' && parseRedisUrl(raw) ? raw : new Unreadable(raw)),
  advice: adviceForUrl,
}

export const redisPrefix: Kind<string> = {
  expected: '1 to 64 letters, digits and the characters . _ : -',
  read: (raw) =>
    typeof raw === 'string' && /^[\w.:-]{1,64}$/.test(raw) ? raw : new Unreadable(raw),
}

export const OLD_SIGNER = 'channelstream.utils.DefaultSigner'
export const moduleName: Kind<string> = {
  expected: 'the specifier or path of a module',
  read: (raw) => (raw === OLD_SIGNER ? '' : text.read(raw)),
}

export const addresses = listOf(
  'addresses or CIDR blocks, separated by commas or new lines, such as 127.0.0.1, 10.0.0.0/8, ::1',
  (part) => {
    const [address = '', prefix = '0', ...rest] = part.split('/')
    const most = isIP(address) === 4 ? 32 : 128
    const isBlock = rest.length === 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= most
    return isIP(address) > 0 && !address.includes('%') && isBlock ? part : undefined
  },
)

export const names = listOf('names, separated by commas or new lines', (part) => part)

export const origins: Kind<readonly string[]> = {
  ...listOf(
    'hosts, origins or *, separated by commas or new lines, such as example.com, https://app.example.org',
    readOrigin,
  ),
  advice: (raw) => {
    const parts = typeof raw === 'string' ? raw.split(/[,\n]/) : raw
    const wrong = isTextList(parts) ? parts.find((part) => isUnreadableOrigin(part.trim())) : ''
    return wrong === undefined || wrong === '' ? '' : adviceForOrigin(wrong.trim())
  },
}

function readOrigin(part: string): string | undefined {
  const value = part.replace(/^\.(?=.)/, '').replace(/(?<=[^:/]|:\/\/)\/$/, '')
  return value === '*' || parseOriginEntry(value) ? value : undefined
}

const isUnreadableOrigin = (part: string): boolean => part !== '' && readOrigin(part) === undefined

function adviceForOrigin(part: string): string {
  if (/["']/.test(part)) return '; leave out the quotes'
  if (part.includes('*')) return '; a host includes its subdomains, so leave out *.'
  if (/^[^/]*:\/\/\/?$/.test(part)) return '; only file:// has no host'
  if (/^([^/]*:\/\/)?[^/]+\/./.test(part)) return '; an origin has no path'
  return part.endsWith('.') ? '; leave out the dot at the end' : ''
}

/** Reads one of these words, in any letter case. Each word maps to its value. */
export function oneOf<T extends string>(words: Readonly<Record<string, T>>): Kind<T> {
  const meanings = new Map(Object.entries(words))
  return {
    expected: `one of ${[...meanings.keys()].join(', ')}`,
    read: (raw) =>
      (typeof raw === 'string' ? meanings.get(raw.trim().toLowerCase()) : undefined) ??
      new Unreadable(raw),
  }
}

/** Splits text at commas and line ends, and ignores empty parts. Text without any part is an empty value. */
export function listOf<Part extends string>(
  expected: string,
  readPart: (part: string) => Part | undefined,
): Kind<readonly Part[]> {
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

/** Reads what Python's `asbool` reads. Returns `undefined` for everything else. */
export function asBoolean(raw: unknown): boolean | undefined {
  if (typeof raw !== 'string' && typeof raw !== 'number' && typeof raw !== 'boolean')
    return undefined
  const word = String(raw).trim().toLowerCase()
  if (TRUE_WORDS.includes(word)) return true
  return FALSE_WORDS.includes(word) ? false : undefined
}

/** Whether a value is empty. Then the value of the next source applies, and in the end the default. */
export function isEmpty(raw: unknown): boolean {
  return raw === undefined || raw === null || (typeof raw === 'string' && raw.trim() === '')
}

/** What the schema of a setting carries in addition to its type. */
export interface SettingInfo {
  readonly expected: string
  readonly description: string
  /** Whether its value must never be shown. */
  readonly isSecret: boolean
  /** Whether it is a secret that can be any text, so that `make-config` can generate one. */
  readonly isGenerated: boolean
  readonly isSwitch: boolean
  /** Whether it can be any text. Every character is significant. */
  readonly isText: boolean
  /** Whether it is a list of such texts, one on each line. */
  readonly hasTextLines: boolean
}

export const SETTING_INFO = z.registry<SettingInfo>()

/** Creates the schema of a setting, which reads a value of this kind or returns the default. */
export function setting<T>(
  kind: Kind<T>,
  fallback: NoInfer<T>,
  description: string,
  isSecret = false,
) {
  return z
    .unknown()
    .optional()
    .transform((raw, context): T => {
      const value = isEmpty(raw) ? undefined : kind.read(raw)
      if (!(value instanceof Unreadable)) return value ?? fallback
      const found = isSecret ? '' : `invalid value ${shorten(JSON.stringify(value.found))}, `
      const advice = kind.advice?.(raw) ?? ''
      context.addIssue({ code: 'custom', message: `${found}expected ${kind.expected}${advice}` })
      return z.NEVER
    })
    .register(SETTING_INFO, {
      expected: kind.expected,
      description,
      isSecret,
      isGenerated: isSecret && (kind as Kind<unknown>) === text,
      isSwitch: (kind as Kind<unknown>) === trueOrFalse,
      isText: (kind as Kind<unknown>) === text,
      hasTextLines: (kind as Kind<unknown>) === secretLines,
    })
}

function toNumber(raw: unknown, form: RegExp): number {
  if (typeof raw === 'string') return form.test(raw.trim()) ? Number(raw) : NaN
  return typeof raw === 'number' ? raw : NaN
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((part) => typeof part === 'string')
}

function shorten(shown: string): string {
  return shown.length > 80 ? `${shown.slice(0, 77)}…` : shown
}
