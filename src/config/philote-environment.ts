/**
 * Reads the settings of the plug-and-play Philote server from the environment, with Philote's names and formats. An
 * empty variable is not the same as an unset one: it is read like any other value.
 */
import { parseArgs } from 'node:util'
import { loginAdvice } from '../lib/redis-url.ts'
import { ConfigError } from './load.ts'
import { mistakesInLines, mistakesInText } from './mistakes.ts'
import { SAFE_HOST, isLoopback } from './safety.ts'
import { Unreadable, host, redisUrl, secretLines } from './values.ts'
import type { Fault } from './ini.ts'
import type { Kind } from './values.ts'

export interface PhiloteSettings {
  /** Undefined: all addresses. */
  readonly host: string | undefined
  readonly port: number
  /** A level of pino. */
  readonly logLevel: string
  /** The key that tokens are signed with. Not used with a Redis. */
  readonly secret: string
  /** Other keys that tokens may be signed with. */
  readonly secretFallbacks: readonly string[]
  readonly maxConnections: number
  readonly readBufferSize: number
  readonly writeBufferSize: number
  readonly checkOrigin: boolean
  /** Undefined: no Redis, so the server uses the JWT generation. */
  readonly redisUrl: string | undefined
}

export interface LoadedPhilote {
  readonly settings: PhiloteSettings
  /** Notes to show at startup. */
  readonly notes: readonly string[]
}

type Environment = Readonly<Record<string, string | undefined>>

/** Connections per process: one for subscriptions, one for everything else. */
const REDIS_CONNECTIONS = 2

const LOG_LEVELS = new Map([
  ['debug', 'debug'],
  ['info', 'info'],
  ['warning', 'warn'],
  ['warn', 'warn'],
  ['error', 'error'],
  ['fatal', 'fatal'],
  ['panic', 'fatal'],
])
const BOOLEANS = new Map([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map((word) => [word, true] as const),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((word) => [word, false] as const),
])

/**
 * Reads flags and environment. Throws a `ConfigError` with all faults. While anyone can sign tokens, the server listens
 * on loopback only, and another `--host` is a fault.
 */
export function loadPhilote(argv: readonly string[], env: Environment): LoadedPhilote {
  const faults: Fault[] = []
  const read: Read = (name, fallback, reader) => {
    const text = env[name]
    if (text === undefined) return fallback
    const value = reader.read(text)
    if (value !== undefined) return value
    faults.push({ where: name, problem: faultOf(reader, text) })
    return fallback
  }
  const wanted = readHost(argv, faults)
  const port = read('PORT', 6380, PORT)
  const redisUrl = read('REDIS_URL', undefined, REDIS_URL)
  // Each generation checks its own variables only. Those of the other one may have any value.
  if (redisUrl !== undefined) read('REDIS_MAX_CONNECTIONS', 400, REDIS_MAX_CONNECTIONS)
  const logLevel = LOG_LEVEL.read(env['LOGLEVEL'] ?? 'info') ?? 'info'
  const jwt =
    redisUrl === undefined ? readJwtSettings(read, env['SECRET']) : { ...NO_JWT, logLevel }
  const settings = { port, redisUrl, ...jwt }
  const isOpen = redisUrl === undefined && settings.secret === ''
  if (isOpen && wanted !== undefined && !isLoopback(wanted))
    faults.push({
      where: '--host',
      problem: `other machines can reach ${wanted}, but SECRET is empty`,
    })
  if (faults.length > 0) throw new ConfigError(faults)
  const chosen = wanted ?? (isOpen ? SAFE_HOST : undefined)
  return {
    settings: { ...settings, host: chosen },
    notes: [
      ...(isOpen ? [emptySecretNote(chosen)] : []),
      ...mistakesInText(env['SECRET']).map((problem) => `SECRET: ${problem}`),
      ...mistakesInLines(env['SECRET_FALLBACKS']).map((problem) => `SECRET_FALLBACKS: ${problem}`),
    ],
  }
}

type Read = <Value>(name: string, fallback: Value, reader: Reader<Value>) => Value

const readJwtSettings = (read: Read, secret = '') => ({
  logLevel: read('LOGLEVEL', 'info', LOG_LEVEL),
  secret,
  secretFallbacks: read('SECRET_FALLBACKS', [], SECRET_FALLBACKS),
  maxConnections: read('MAX_CONNECTIONS', 255, INTEGER),
  readBufferSize: read('READ_BUFFER_SIZE', 1024, INTEGER),
  writeBufferSize: read('WRITE_BUFFER_SIZE', 1024, INTEGER),
  checkOrigin: read('CHECK_ORIGIN', false, BOOLEAN),
})

const NO_JWT: ReturnType<typeof readJwtSettings> = {
  logLevel: 'info',
  secret: '',
  secretFallbacks: [],
  maxConnections: Infinity,
  readBufferSize: 0,
  writeBufferSize: 0,
  checkOrigin: false,
}

const emptySecretNote = (address: string | undefined): string =>
  `SECRET is empty: anyone can sign tokens, so the server listens on ${address} only.`

/** How a value is read from text. */
export interface Reader<Value> {
  readonly expected: string
  /** Returns undefined if the text cannot be read. */
  readonly read: (text: string) => Value | undefined
  /** Returns a hint about an unreadable text. The hint follows `expected` in the fault. */
  readonly advice?: (text: string) => string
}

/** Returns what is wrong with an unreadable text, without quoting it. */
export const faultOf = <Value>(reader: Reader<Value>, text: string): string =>
  `expected ${reader.expected}${reader.advice?.(text) ?? ''}`

const PORT: Reader<number> = {
  expected: 'a TCP port, from 0 to 65535',
  read: (text) => (/^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined),
}

/** Reads integers as Go does: a prefix sets the base, and underscores may separate digits. */
export const INTEGER: Reader<number> = {
  expected: 'a whole number',
  read: (text) => {
    const [, sign = '', digits = ''] = /^([+-]?)(.+)$/s.exec(text) ?? []
    const plain = digits.replace(/(?<=[\da-f])_(?=[\da-f])/gi, '').replace(/^0(?=[0-7]+$)/, '0o')
    if (!/^(\d+|0x[\da-f]+|0o[0-7]+|0b[01]+)$/i.test(plain) || /^0\d/.test(plain)) return undefined
    const value = Number(plain)
    return Number.isSafeInteger(value) ? (sign === '-' ? -value : value) : undefined
  },
}

export const BOOLEAN: Reader<boolean> = {
  expected: `one of ${[...BOOLEANS.keys()].join(', ')}`,
  read: (text) => BOOLEANS.get(text),
}

const LOG_LEVEL: Reader<string> = {
  expected: `one of ${[...LOG_LEVELS.keys()].join(', ')}`,
  read: (text) => LOG_LEVELS.get(text.toLowerCase()),
}

export const REDIS_URL: Reader<string> = {
  expected: redisUrl.expected,
  read: (text) => readKind(redisUrl, text),
  advice: loginAdvice,
}

const SECRET_FALLBACKS: Reader<readonly string[]> = {
  expected: secretLines.expected,
  read: (text) => readKind(secretLines, text),
}

const REDIS_MAX_CONNECTIONS: Reader<number> = {
  expected: `a whole number of at least ${REDIS_CONNECTIONS}, or 0 for no limit`,
  read: (text) => {
    const value = INTEGER.read(text)
    return value === undefined || (value !== 0 && value < REDIS_CONNECTIONS) ? undefined : value
  },
}

function readKind<Value>(kind: Kind<Value>, text: string): Value | undefined {
  const value = kind.read(text)
  return value instanceof Unreadable ? undefined : value
}

function readHost(argv: readonly string[], faults: Fault[]): string | undefined {
  try {
    const { values } = parseArgs({ args: [...argv], options: { host: { type: 'string' } } })
    if (values.host === undefined) return undefined
    const read = readKind(host, values.host)
    if (read !== undefined) return read
    faults.push({ where: '--host', problem: `expected ${host.expected}` })
  } catch (error) {
    // Node's messages name the option, never its value.
    faults.push({
      where: 'philote',
      problem: error instanceof Error ? error.message : String(error),
    })
  }
  return undefined
}
