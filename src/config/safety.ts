/** What keeps a server with default secrets from the network, and what is told of unsafe settings. */
import { isIP } from 'node:net'
import { ConfigSchema, SETTING_BY_NAME, type Config } from './schema.ts'
import { faultIn, rawValues, type Values } from './sources.ts'
import type { Fault } from './ini.ts'

export const SAFE_HOST = '127.0.0.1'
const MAKE_SECRETS = 'make some with `channelstream make-config -o channelstream.ini`'

/** Without a `host`, the server listens on this machine only while a secret has its default; so does Philote. */
export function withSafeHost(config: Config, values: Values): Config {
  const isSafe = values.has('host') || defaultSecrets(config).length === 0
  const isPhiloteSafe = values.has('philote_host') || !admitsEveryToken(config)
  return Object.freeze({
    ...config,
    ...(!isSafe && { host: SAFE_HOST }),
    ...(!isPhiloteSafe && { philote_host: SAFE_HOST }),
  })
}

/** Whether everybody can sign tokens for Philote. */
const admitsEveryToken = (config: Pick<Config, 'philote_secret' | 'philote_redis_url'>): boolean =>
  config.philote_secret === '' && config.philote_redis_url === ''

/** The names of the secrets that are known to everybody. */
function defaultSecrets(config: Pick<Config, 'secret' | 'admin_secret'>): readonly string[] {
  const names = ['secret', 'admin_secret'] as const
  return names.filter((name) => config[name] === SETTING_BY_NAME.get(name)?.default)
}

/**
 * Refuses hosts that others can reach while secrets have their defaults, and settings that exclude each other.
 *
 * Reads the few settings it needs one by one, so that it is told beside faults in others.
 */
export const hostFaults = (values: Values): readonly Fault[] => [
  ...ownHostFaults(values),
  ...philoteHostFaults(values),
  ...twoRedisFaults(values),
]

/** Each server would hear a message on Philote's channels, and keep it once more. */
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
      'cannot be combined with redis_url: every server would keep what it hears there',
    ),
  ]
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
  if (!admitsEveryToken(read.data) || isLoopback(read.data.philote_host)) return []
  const problem =
    `others can reach ${read.data.philote_host}, and philote_secret is empty, so that everybody can ` +
    `sign tokens; ${MAKE_SECRETS}, or listen on ${SAFE_HOST}`
  return [faultIn(given, problem)]
}

function ownHostFaults(values: Values): readonly Fault[] {
  const given = values.get('host')
  const read = ConfigSchema.pick({ host: true, secret: true, admin_secret: true })
    .strip()
    .safeParse(rawValues(values))
  if (given === undefined || !read.success || isLoopback(read.data.host)) return []
  const open = defaultSecrets(read.data)
  if (open.length === 0) return []
  const problem =
    `others can reach ${read.data.host}, and ${open.join(' and ')} still ` +
    `${open.length > 1 ? 'have defaults' : 'has a default'} that everybody knows; ${MAKE_SECRETS}, ` +
    `or listen on ${SAFE_HOST}`
  return [faultIn(given, problem)]
}

export function isLoopback(host: string): boolean {
  const plain = host.toLowerCase().replace(/^::ffff:/, '')
  return plain === 'localhost' || plain === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'))
}

/** Sentences for the log at the start: what is unsafe. */
export function warnings(config: Config, values: Values): readonly string[] {
  const open = defaultSecrets(config)
  const onCommandLine = [...values.values()].filter(
    ({ name, where }) => where.startsWith('--') && SETTING_BY_NAME.get(name)?.isSecret === true,
  )
  const notes: readonly (readonly [unsafe: boolean, note: string])[] = [
    [
      open.length > 0,
      `${open.join(' and ')} not set: the default is known to everybody, so the server listens on ` +
        `${config.host} only; ${MAKE_SECRETS}.`,
    ],
    [
      config.philote_port !== 0 && admitsEveryToken(config),
      'philote_secret is empty: everybody can sign tokens, so Philote listens on ' +
        `${config.philote_host} only.`,
    ],
    [
      onCommandLine.length > 0,
      `${onCommandLine.map(({ where }) => where).join(' and ')} can be read by every user of this ` +
        'machine in its list of processes; the ini file and the environment are safer.',
    ],
    [
      !config.validate_requests,
      'validate_requests is false: a signed request that somebody saw can be repeated for ever.',
    ],
    [
      admitsEveryone(config.allow_posting_from),
      'allow_posting_from admits everyone: only the secret keeps strangers from posting.',
    ],
    [
      admitsEveryone(config.trusted_proxies),
      'trusted_proxies has everyone: callers can claim any address and scheme.',
    ],
    [
      config.allow_cors.length === 0 || config.allow_cors.includes('*'),
      'allow_cors admits every origin: pages of any website may use this server.',
    ],
  ]
  return notes.filter(([unsafe]) => unsafe).map(([, note]) => note)
}

function admitsEveryone(list: readonly string[]): boolean {
  return list.some((entry) => entry === '0.0.0.0' || entry.endsWith('/0'))
}
