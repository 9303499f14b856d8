/** Keeps a server with default secrets off the network, and warns about unsafe settings. */
import { isIP } from 'node:net'
import { unixPathOf } from '../lib/unix-path.ts'
import { ConfigSchema, SETTING_BY_NAME, type Config } from './schema.ts'
import { faultIn, rawValues, type Values } from './sources.ts'
import type { Fault } from './ini.ts'

export const SAFE_HOST = '127.0.0.1'
const MAKE_SECRETS = 'generate secrets with `channelstream make-config -o channelstream.ini`'

/**
 * Sets hosts that are not given to loopback while a secret has its default value, or anyone can sign Philote tokens.
 */
export function withSafeHost(config: Config, values: Values): Config {
  const isSafe = values.has('host') || !hasPublicSecret(config)
  const isPhiloteSafe = values.has('philote_host') || !canAnyoneSignTokens(config)
  return Object.freeze({
    ...config,
    ...(!isSafe && { host: SAFE_HOST }),
    ...(!isPhiloteSafe && { philote_host: SAFE_HOST }),
  })
}

/** Whether anyone can sign tokens for Philote. */
const canAnyoneSignTokens = (
  config: Pick<Config, 'philote_secret' | 'philote_redis_url'>,
): boolean => config.philote_secret === '' && config.philote_redis_url === ''

/** The secrets with public defaults, and the settings that each has its values in. */
const DEFAULT_SECRETS = ['secret', 'admin_secret'] as const
type CheckedSecrets = Pick<
  Config,
  (typeof DEFAULT_SECRETS)[number] | `${(typeof DEFAULT_SECRETS)[number]}_fallbacks`
>

const defaultOf = (name: string) => SETTING_BY_NAME.get(name)?.default

/** Returns the names of the secrets that have their default values, which are public. */
const defaultSecrets = (config: CheckedSecrets): readonly string[] =>
  DEFAULT_SECRETS.filter((name) => config[name] === defaultOf(name))

/** Returns what is wrong with the fallbacks that are defaults of their secrets, one text for each setting. */
const defaultFallbacks = (config: CheckedSecrets): readonly string[] =>
  DEFAULT_SECRETS.filter((name) =>
    config[`${name}_fallbacks`].some((fallback) => fallback === defaultOf(name)),
  ).map((name) => `${name}_fallbacks contains the default value of ${name}, which is public`)

const hasPublicSecret = (config: CheckedSecrets): boolean =>
  defaultSecrets(config).length > 0 || defaultFallbacks(config).length > 0

/** Sockets that a supervisor has opened. */
interface Passed {
  readonly http?: number
  readonly philote?: number
}

/**
 * Throws if a secret has its default value while a supervisor has opened the sockets: other machines may reach them, and
 * the server knows only when it already listens.
 */
export function checkSecretsOnPassed(config: Config, { http, philote }: Passed): void {
  refusePublicSecrets(config, 'a supervisor passed a socket, which other machines may reach', {
    http: http !== undefined,
    philote: philote !== undefined && config.philote_port !== 0,
  })
}

/**
 * Throws if other machines can reach a running server, and a secret has its default value in the configuration that it
 * would have: with the new values of some settings, and without those that need a restart.
 */
export function checkSecretsOfRunning(config: Config, { http, philote }: Passed): void {
  refusePublicSecrets(config, 'other machines can reach this server', {
    http: http !== undefined || !isLoopback(config.host),
    philote:
      config.philote_port !== 0 && (philote !== undefined || !isLoopback(config.philote_host)),
  })
}

/** `reached`: the ports that other machines can reach. */
function refusePublicSecrets(
  config: Config,
  why: string,
  reached: { readonly http: boolean; readonly philote: boolean },
): void {
  const open = [
    ...(reached.http ? [...defaultSecrets(config), ...defaultFallbacks(config)] : []),
    ...(reached.philote && canAnyoneSignTokens(config) ? ['philote_secret'] : []),
  ]
  if (open.length > 0)
    throw new Error(`${why}, and these are not set: ${open.join(', ')}; ${MAKE_SECRETS}`)
}

/**
 * Finds hosts that other machines can reach while secrets have their default values, and settings that exclude each
 * other.
 *
 * Parses only the settings that it needs, so that it works even if there are faults in others.
 */
export const hostFaults = (values: Values): readonly Fault[] => [
  ...ownHostFaults(values),
  ...philoteHostFaults(values),
  ...twoRedisFaults(values),
  ...twoStoresFaults(values),
]

/** With both, every server would receive each message on Philote's channels, and store it again. */
function twoRedisFaults(values: Values): readonly Fault[] {
  const given = values.get('philote_redis_url')
  const read = ConfigSchema.pick({ redis_url: true, philote_redis_url: true })
    .strip()
    .safeParse(rawValues(values))
  if (given === undefined || !read.success) return []
  if (read.data.redis_url === '' || read.data.philote_redis_url === '') return []
  return [
    faultIn(
      given,
      'cannot be combined with redis_url: every server would store each message from there',
    ),
  ]
}

/** Servers that share a Redis keep everything there. */
function twoStoresFaults(values: Values): readonly Fault[] {
  const given = values.get('data_dir')
  const read = ConfigSchema.pick({ redis_url: true, data_dir: true })
    .strip()
    .safeParse(rawValues(values))
  if (given === undefined || !read.success) return []
  if (read.data.redis_url === '' || read.data.data_dir === '') return []
  return [faultIn(given, 'cannot be combined with redis_url: with it, all data is in Redis')]
}

function philoteHostFaults(values: Values): readonly Fault[] {
  const given = values.get('philote_host')
  const read = ConfigSchema.pick({
    philote_host: true,
    philote_port: true,
    philote_secret: true,
    philote_redis_url: true,
  })
    .strip()
    .safeParse(rawValues(values))
  if (given === undefined || !read.success || read.data.philote_port === 0) return []
  if (!canAnyoneSignTokens(read.data) || isLoopback(read.data.philote_host)) return []
  const problem =
    `other machines can reach ${read.data.philote_host}, but philote_secret is empty, so anyone can ` +
    `sign tokens; ${MAKE_SECRETS}, or listen on ${SAFE_HOST}`
  return [faultIn(given, problem)]
}

function ownHostFaults(values: Values): readonly Fault[] {
  const given = values.get('host')
  const read = ConfigSchema.pick({
    host: true,
    secret: true,
    secret_fallbacks: true,
    admin_secret: true,
    admin_secret_fallbacks: true,
  })
    .strip()
    .safeParse(rawValues(values))
  if (given === undefined || !read.success || isLoopback(read.data.host)) return []
  const fallbacks = defaultFallbacks(read.data).map((problem) =>
    faultIn(given, `other machines can reach ${read.data.host}, but ${problem}; remove it`),
  )
  const open = defaultSecrets(read.data)
  if (open.length === 0) return fallbacks
  const problem =
    `other machines can reach ${read.data.host}, but ${open.join(' and ')} still ` +
    `${open.length > 1 ? 'have their default values, which are' : 'has its default value, which is'} public; ` +
    `${MAKE_SECRETS}, or listen on ${SAFE_HOST}`
  return [faultIn(given, problem), ...fallbacks]
}

/** Whether only this machine can reach it. */
export function isLoopback(host: string): boolean {
  if (unixPathOf(host) !== undefined) return true
  const plain = host.toLowerCase().replace(/^::ffff:/, '')
  return plain === 'localhost' || plain === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'))
}

/** Returns notes about unsafe settings, to show at startup. */
export function warnings(config: Config, values: Values): readonly string[] {
  const open = defaultSecrets(config)
  const onCommandLine = [...values.values()].filter(
    ({ name, where }) => where.startsWith('--') && SETTING_BY_NAME.get(name)?.isSecret === true,
  )
  const notes: readonly (readonly [unsafe: boolean, note: string])[] = [
    [
      open.length > 0,
      `${open.join(' and ')} not set: the default is public, so the server listens on ` +
        `${config.host} only; ${MAKE_SECRETS}.`,
    ],
    ...defaultFallbacks(config).map(
      (problem) =>
        [true, `${problem}, so the server listens on ${config.host} only; remove it.`] as const,
    ),
    [
      config.philote_port !== 0 && canAnyoneSignTokens(config),
      'philote_secret is empty: anyone can sign tokens, so Philote listens on ' +
        `${config.philote_host} only.`,
    ],
    [
      onCommandLine.length > 0,
      `every user of this machine can see ${onCommandLine.map(({ where }) => where).join(' and ')} in the ` +
        'process list; the ini file and the environment are safer.',
    ],
    [
      !config.validate_requests,
      'validate_requests is false: anyone who sees a signed request can replay it forever.',
    ],
    [
      hasAllAddresses(config.allow_posting_from),
      'allow_posting_from allows all addresses: only the secret protects the backend API.',
    ],
    [
      hasAllAddresses(config.trusted_proxies),
      'trusted_proxies contains all addresses: any client can fake its address and scheme.',
    ],
    [
      config.allow_cors.length === 0 || config.allow_cors.includes('*'),
      'allow_cors allows all origins: pages of any website may use this server.',
    ],
  ]
  return notes.filter(([unsafe]) => unsafe).map(([, note]) => note)
}

function hasAllAddresses(list: readonly string[]): boolean {
  return list.some((entry) => entry === '0.0.0.0' || entry.endsWith('/0'))
}
