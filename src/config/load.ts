/**
 * Brings the settings together: defaults < ini file < `CHANNELSTREAM_*` environment < flags. What is
 * unknown or cannot be read stops the start, and all of it is told at once. An empty value says nothing.
 */
import { isIP } from 'node:net'
import { parseArgs } from 'node:util'
import { closest, distance } from 'fastest-levenshtein'
import { parseIni, type Fault } from './ini.ts'
import {
  asBoolean,
  ConfigSchema,
  isEmpty,
  OLD_SETTINGS,
  SETTING_BY_NAME,
  SETTINGS,
  type Config,
  type Setting,
  type SettingName,
} from './schema.ts'

export type { Fault } from './ini.ts'

/** What {@link loadConfig} reads from. */
export interface LoadInput {
  /** Flags without program name and command, such as `['--port', '9000']`. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** Gives a file's text; what it throws becomes a fault. */
  readonly readFile: (path: string) => string
}

export interface LoadedConfig {
  readonly config: Config
  /** Sentences for the log at the start: what is unsafe, and what was passed over. */
  readonly notes: readonly string[]
  /** Where each value comes from: `default`, `channelstream.ini:4`, a variable's or a flag's name. */
  readonly sources: Readonly<Record<SettingName, string>>
}

/** Settings as tests and embedders give them: typed, or as text. */
export type ConfigInput = {
  readonly [Name in SettingName]?: Config[Name] | string | undefined
}

/** One value that somebody gave. */
export interface Given {
  readonly name: string
  readonly value: unknown
  /** Starts the line of a fault, such as `channelstream.ini:4` or `--port`. */
  readonly where: string
  /** How a setting is written there, for the nearest name. */
  readonly spell: (setting: Setting) => string
  /** From `[DEFAULT]`, where unknown names are no faults, only noted. */
  readonly isInherited?: boolean
}

/** Everything that is wrong with a configuration; `message` lists it, a line each, without secrets. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  constructor(readonly faults: readonly Fault[]) {
    const lines = faults.map(({ where, problem }) => `  ${where}: ${problem}`)
    super(['The configuration cannot be used:', ...lines].join('\n'))
  }
}

const SAFE_HOST = '127.0.0.1'
const DEFAULT_SOURCE = 'default'
const MAKE_SECRETS = 'make some with `channelstream make-config -o channelstream.ini`'
const INI_VARIABLE = 'CHANNELSTREAM_INI'

/**
 * Reads the configuration of the server. The file is the one of `-i`/`--ini`, else of
 * `CHANNELSTREAM_INI`, else none.
 *
 * Without a `host`, the server listens on 127.0.0.1 while a secret has its default. Throws a
 * {@link ConfigError}, also when such a server was told to listen where others can reach it.
 */
export function loadConfig({ argv, env, readFile }: LoadInput): LoadedConfig {
  const flags = readFlags(argv)
  const path = flags.iniPath ?? { file: env[INI_VARIABLE] ?? '', where: INI_VARIABLE }
  const ini = isEmpty(path.file) ? NOTHING : readIni(path, readFile)
  const { values, faults, notes } = sift([...ini.given, ...readEnvironment(env), ...flags.given])
  const checked = check(values)
  const all = [...ini.faults, ...flags.faults, ...faults, ...checked.faults, ...hostFaults(values)]
  if (checked.config === undefined || all.length > 0) throw new ConfigError(all)
  const config = withSafeHost(checked.config, values)
  return { config, notes: [...notes, ...warnings(config, values)], sources: sourcesOf(values) }
}

/**
 * The configuration with these settings and defaults for the others, for tests and embedding. `host` is
 * 127.0.0.1 unless given, and default secrets are accepted wherever it listens. Throws a
 * {@link ConfigError}.
 */
export function parseConfig(settings: ConfigInput = {}): Config {
  const given = Object.entries(settings).map(([name, value]) => givenByName(name, value))
  return parseGiven([givenByName('host', SAFE_HOST), ...given]).config
}

/** A value that a program gives, by the name of its setting. */
export function givenByName(name: string, value: unknown): Given {
  return { name, value, where: name, spell: (setting) => setting.name }
}

/** Checks values of any source, where later ones win, without the rules about hosts. */
export function parseGiven(given: readonly Given[]): {
  readonly config: Config
  /** The settings that were given, and not empty. */
  readonly names: ReadonlySet<SettingName>
  readonly notes: readonly string[]
} {
  const { values, faults, notes } = sift(given)
  const checked = check(values)
  if (checked.config === undefined || faults.length > 0) {
    throw new ConfigError([...faults, ...checked.faults])
  }
  return { config: checked.config, names: new Set(values.keys()), notes }
}

/** The settings among the variables called `CHANNELSTREAM_*`; those that Kubernetes makes are not. */
export function readEnvironment(env: LoadInput['env']): readonly Given[] {
  return Object.entries(env).flatMap(([variable, value]): Given[] => {
    const isOurs = variable.startsWith('CHANNELSTREAM_') && variable !== INI_VARIABLE
    if (!isOurs || isFromKubernetes(variable, value ?? '')) return []
    const name = variable.slice('CHANNELSTREAM_'.length).toLowerCase()
    return [{ name, value, where: variable, spell: (setting) => setting.variable }]
  })
}

/** The nearest of the names, or one that begins so, if any is near enough to be meant. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const longer = names.find((known) => known.startsWith(`${name}_`))
  if (longer !== undefined) return longer
  const found = closest(name, names)
  return distance(name, found) <= Math.max(2, name.length / 3) ? found : undefined
}

/**
 * Kubernetes, like Docker's links, sets variables for each service, after its name; those of
 * `channelstream`, and of `channelstream-redis` and such, look like settings.
 */
function isFromKubernetes(variable: string, value: string): boolean {
  if (/_PORT$/.test(variable) && /^(tcp|udp|sctp):\/\//.test(value)) return true
  return /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/.test(
    variable,
  )
}

const NOTHING = { given: [] as readonly Given[], faults: [] as readonly Fault[] }

interface IniPath {
  readonly file: string
  /** Who named the file. */
  readonly where: string
}

function readIni({ file, where }: IniPath, readFile: LoadInput['readFile']): typeof NOTHING {
  let text
  try {
    text = readFile(file)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return { given: [], faults: [{ where, problem: `${file} cannot be read: ${reason}` }] }
  }
  const { entries, faults } = parseIni(text, file)
  const given = entries.map(({ key, value, line, isInherited }) => {
    const spell = (setting: Setting): string => setting.name
    return { name: key, value, where: `${file}:${line}`, spell, isInherited }
  })
  return { given, faults }
}

interface Flags {
  readonly given: Given[]
  readonly faults: Fault[]
  iniPath?: IniPath
}

type Token = NonNullable<ReturnType<typeof parseArgs>['tokens']>[number]
type OptionToken = Extract<Token, { kind: 'option' }>

interface FlagOption {
  readonly type: 'string' | 'boolean'
  readonly short?: string
}

const FLAG_OPTIONS = Object.fromEntries<FlagOption>([
  ['ini', { type: 'string', short: 'i' }],
  ...SETTINGS.flatMap(({ name, isSwitch }): [string, FlagOption][] => {
    const option = { type: isSwitch ? 'boolean' : 'string' } as const
    return [name, name.replaceAll('_', '-')].map((spelling) => [spelling, option])
  }),
])

function readFlags(argv: readonly string[]): Flags {
  const flags: Flags = { given: [], faults: [] }
  const { tokens } = parseArgs({
    args: [...argv],
    options: FLAG_OPTIONS,
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  tokens.forEach((token, index) => {
    const before = tokens[index - 1]
    if (token.kind === 'option' && token.index !== before?.index) {
      readFlag(flags, token, tokens[index + 1])
    } else if (token.kind === 'positional' && !mayBeValue(before, token.value)) {
      const problem = 'expected a flag such as --port 9000' // its text may be part of a secret
      flags.faults.push({ where: `argument ${token.index + 1}`, problem })
    }
  })
  return flags
}

function readFlag(flags: Flags, token: OptionToken, next: Token | undefined): void {
  const name = token.name.replaceAll('-', '_')
  const setting = SETTING_BY_NAME.get(name)
  const where = setting?.flag ?? token.rawName
  if (token.inlineValue === false && token.value.startsWith('--')) {
    const problem = `a value is missing; if it does start with dashes, write ${where}=VALUE`
    flags.faults.push({ where, problem })
    return
  }
  const value = token.value ?? (setting?.isSwitch === true ? switchValue(token, next) : undefined)
  if (value === undefined && (setting !== undefined || name === 'ini')) {
    flags.faults.push({ where, problem: 'a value is missing' })
  } else if (name === 'ini') flags.iniPath = { file: value ?? '', where }
  else flags.given.push({ name, value: value ?? '', where, spell: (found) => found.flag })
}

/** `--debug` alone is `true`; the word after it counts if it is one for true or false. */
function switchValue(token: OptionToken, next: Token | undefined): string {
  return next?.kind === 'positional' && mayBeValue(token, next.value) ? next.value : 'true'
}

/** Whether a word without dashes belongs to the flag before it, though the flag took no value. */
function mayBeValue(before: Token | undefined, word: string): boolean {
  if (before?.kind !== 'option' || before.value !== undefined) return false
  const isKnown = Object.hasOwn(FLAG_OPTIONS, before.name)
  return !isKnown || asBoolean(word) !== undefined
}

type Values = ReadonlyMap<SettingName, Given>

/** The last value of each setting that is not empty, and what is to be said of the others. */
function sift(given: readonly Given[]) {
  const values = new Map<SettingName, Given>()
  const faults: Fault[] = []
  const notes: string[] = []
  for (const one of given) {
    const setting = SETTING_BY_NAME.get(one.name)
    const old = OLD_SETTINGS.get(one.name)
    if (setting !== undefined) {
      if (!isEmpty(one.value)) values.set(setting.name, one)
    } else if (old !== undefined) notes.push(`${one.where}: ${one.name} is passed over: ${old}.`)
    else if (one.isInherited === true) {
      notes.push(`${one.where}: [DEFAULT] ${one.name} is no setting and is passed over.`)
    } else faults.push({ where: one.where, problem: unknownName(one) })
  }
  return { values, faults, notes }
}

function unknownName({ name, spell }: Given): string {
  const found = nearest(name, [...SETTING_BY_NAME.keys()])
  const setting = found === undefined ? undefined : SETTING_BY_NAME.get(found)
  const advice = setting === undefined ? '' : `; did you mean ${spell(setting)}?`
  return `there is no setting ${JSON.stringify(name)}${advice}`
}

function check(values: Values): { config?: Config; faults: readonly Fault[] } {
  const result = ConfigSchema.safeParse(rawValues(values))
  if (result.success) return { config: withLogLevel(result.data), faults: [] }
  const faults = result.error.issues.map((issue) => {
    const name = issue.path[0] as SettingName
    return faultIn(values.get(name) ?? givenByName(name, undefined), issue.message)
  })
  return { faults }
}

/** A fault in the value of a setting, which the place of the value names, or the problem does. */
function faultIn({ name, where, spell }: Given, problem: string): Fault {
  const setting = SETTING_BY_NAME.get(name)
  const isNamed = setting !== undefined && spell(setting) === where
  return { where, problem: isNamed ? problem : `${name}: ${problem}` }
}

function rawValues(values: Values): Record<string, unknown> {
  return Object.fromEntries([...values].map(([name, { value }]) => [name, value]))
}

function withLogLevel(config: Config): Config {
  const isLess = config.debug && config.log_level !== 'trace'
  return Object.freeze(isLess ? { ...config, log_level: 'debug' as const } : { ...config })
}

function withSafeHost(config: Config, values: Values): Config {
  const isSafe = values.has('host') || defaultSecrets(config).length === 0
  return isSafe ? config : Object.freeze({ ...config, host: SAFE_HOST })
}

/** The names of the secrets that are known to everybody. */
function defaultSecrets(config: Pick<Config, 'secret' | 'admin_secret'>): readonly string[] {
  const names = ['secret', 'admin_secret'] as const
  return names.filter((name) => config[name] === SETTING_BY_NAME.get(name)?.default)
}

/** Reads the few settings it needs one by one, so that it is told beside faults in others. */
function hostFaults(values: Values): readonly Fault[] {
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

function isLoopback(host: string): boolean {
  const plain = host.toLowerCase().replace(/^::ffff:/, '')
  return plain === 'localhost' || plain === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'))
}

function warnings(config: Config, values: Values): readonly string[] {
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

function sourcesOf(values: Values): LoadedConfig['sources'] {
  const sources = SETTINGS.map(({ name }) => [name, values.get(name)?.where ?? DEFAULT_SOURCE])
  return Object.freeze(Object.fromEntries(sources) as Record<SettingName, string>)
}
