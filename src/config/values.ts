/**
 * What values settings can have, and how they are read: from text (ini file, environment, flags) or
 * already typed (tests, embedding, JSON).
 */
import { isIP, isIPv6 } from 'node:net'
import { z } from 'zod'
import { REDIS_URL_FORMS, loginAdvice, parseRedisUrl } from '../lib/redis-url.ts'

/** How values of one kind are read; `expected` says it in words, for faults and for the page. */
export interface Kind<T> {
  readonly expected: string
  /** Gives `undefined` for a value that says nothing, so that the default holds. */
  readonly read: (raw: unknown) => T | Unreadable | undefined
  /** What more there is to say of a value that cannot be read, if anything. Follows what was expected. */
  readonly advice?: (raw: unknown) => string
}

/** What a {@link Kind} cannot read: the whole value, or the parts of a list that are at fault. */
export class Unreadable {
  constructor(readonly found: unknown) {}
}

const TRUE_WORDS = ['true', 'yes', 'on', 'y', 't', '1']
const FALSE_WORDS = ['false', 'no', 'off', 'n', 'f', '0']
/** What a timer of Node can wait for; longer ones would fire at once. About 24 days. */
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

export const text: Kind<string> = {
  expected: 'text on one line',
  read: (raw) => (typeof raw === 'string' && !/[\r\n\0]/.test(raw) ? raw : new Unreadable(raw)),
}

export const host: Kind<string> = {
  expected: 'an address such as 127.0.0.1 or ::, or a host name, without scheme, port or brackets',
  read(raw) {
    const value = typeof raw === 'string' ? raw.trim() : ''
    const isName = /^[a-z\d_][\w.-]{0,252}$/i.test(value) && !/^[\d.]+$/.test(value)
    return isName || isIP(value) > 0 ? value : new Unreadable(raw)
  },
}

const adviceForUrl = (raw: unknown): string => (typeof raw === 'string' ? loginAdvice(raw) : '')

/** Kept as it is written. It may hold a password, so that nothing of it is told. */
export const redisUrl: Kind<string> = {
  expected: 'redis://[:password@]host[:port][/database]',
  read: (raw) => (typeof raw === 'string' && isUrlOfOne(raw) ? raw : new Unreadable(raw)),
  advice: adviceForUrl,
}

function isUrlOfOne(raw: string): boolean {
  if (!URL.canParse(raw)) return false
  const { protocol, username, password, hostname, pathname, search, hash } = new URL(raw)
  // Of a password with ? or # in it the beginning would be taken for a port, and shown.
  const isWhole = !search.includes('@') && hash === ''
  const isDecodable = isEscaped(username) && isEscaped(password)
  const isOne = /^rediss?:$/.test(protocol) && hostname !== '' && /^(\/\d{0,5})?$/.test(pathname)
  return isOne && isWhole && isDecodable
}

/** Whether each percent sign begins a character. */
function isEscaped(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

/** The same for the Redis that servers share, in all the ways to name one. */
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

export const origins = listOf(
  'hosts, origins or *, separated by commas or new lines, such as example.com, https://app.example.org',
  (part) => {
    const value = part.replace(/^\.(?=.)/, '').replace(/\/$/, '')
    const [, authority = ''] = /^(?:[a-z][a-z\d+.-]*:\/\/)?([^\s/?#@\\%*]+)$/i.exec(value) ?? []
    const isHost = isIPv6(value) || URL.canParse(`http://${authority}`)
    return value === '*' || isHost ? value : undefined
  },
)

/** Words in any letter case, each with what it stands for. */
export function oneOf<T extends string>(words: Readonly<Record<string, T>>): Kind<T> {
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

/** What a setting's schema carries beside its type. */
export interface About {
  readonly expected: string
  readonly description: string
  /** Whether its value is told nowhere. */
  readonly isSecret: boolean
  /** Whether any text will do as the secret, so that one can be made. */
  readonly isMade: boolean
  readonly isSwitch: boolean
  /** Whether it may be any text, of which every character counts. */
  readonly isText: boolean
}

export const ABOUT = z.registry<About>()

/** The schema of a setting: reads a value of the kind, or gives the default. */
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
      const found = isSecret ? '' : `${shorten(JSON.stringify(value.found))} found, `
      const advice = kind.advice?.(raw) ?? ''
      context.addIssue({ code: 'custom', message: `${found}expected ${kind.expected}${advice}` })
      return z.NEVER
    })
    .register(ABOUT, {
      expected: kind.expected,
      description,
      isSecret,
      isMade: isSecret && (kind as Kind<unknown>) === text,
      isSwitch: (kind as Kind<unknown>) === trueOrFalse,
      isText: (kind as Kind<unknown>) === text,
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
