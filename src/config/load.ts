/**
 * Combines the settings of all sources: defaults < ini file < `CHANNELSTREAM_*` environment < flags. Unknown
 * settings and unreadable values are errors, and all of them are reported together. Empty values are ignored.
 */
import { isQuoted, mistakeNotes, QUOTES } from './mistakes.ts'
import { nearest } from './nearest.ts'
import { redisTlsFaults } from './redis-tls.ts'
import { hostFaults, SAFE_HOST, warnings, withSafeHost } from './safety.ts'
import {
  ConfigSchema,
  OLD_SETTINGS,
  SETTING_BY_NAME,
  SETTINGS,
  type Config,
  type SettingName,
} from './schema.ts'
import { readSecretFiles } from './secret-files.ts'
import {
  faultIn,
  givenByName,
  rawValues,
  readSources,
  type Given,
  type LoadInput,
  type Values,
} from './sources.ts'
import { isEmpty } from './values.ts'
import type { Fault } from './ini.ts'

export { nearest } from './nearest.ts'
export type { Fault } from './ini.ts'
export type { LoadInput } from './sources.ts'

export interface LoadedConfig {
  readonly config: Config
  /** Notes to show at startup: unsafe settings, probable mistakes and ignored settings. */
  readonly notes: readonly string[]
  /** Where each value comes from: `default`, `channelstream.ini:4`, or the name of a variable or a flag. */
  readonly sources: Readonly<Record<SettingName, string>>
}

/** Settings from tests and embedding programs: typed, or as text. */
export type ConfigInput = {
  readonly [Name in SettingName]?: Config[Name] | string | undefined
}

/** All faults of a configuration. `message` lists them, one per line, without secrets. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  constructor(readonly faults: readonly Fault[]) {
    const lines = faults.map(({ where, problem }) => `  ${where}: ${problem}`)
    super(['Invalid configuration:', ...lines].join('\n'))
  }
}

const DEFAULT_SOURCE = 'default'

/**
 * Reads the configuration of the server. The ini file is that of `-i`/`--ini`, else of
 * `CHANNELSTREAM_INI`, else none.
 *
 * Without a `host`, the server listens on 127.0.0.1 while a secret has its default value. Throws a
 * {@link ConfigError} if there are faults, or if such a server has a `host` that other machines can reach.
 */
export function loadConfig(input: LoadInput): LoadedConfig {
  const read = readSources(input)
  const withFiles = readSecretFiles(read.given, input)
  const { values, faults, notes } = sift(withFiles.given)
  const checked = check(values)
  const all = [
    ...read.faults,
    ...withFiles.faults,
    ...faults,
    ...checked.faults,
    ...hostFaults(values),
    ...redisTlsFaults(values),
  ]
  if (checked.config === undefined || all.length > 0) throw new ConfigError(all)
  const config = withSafeHost(checked.config, values)
  return {
    config,
    notes: [
      ...notes,
      ...mistakeNotes(values),
      ...channelNotes(config),
      ...warnings(config, values),
    ],
    sources: sourcesOf(values),
  }
}

/**
 * Returns a configuration with these settings and defaults for the others, for tests and embedding. Hosts
 * default to 127.0.0.1, and default secrets are accepted with any host. Throws a {@link ConfigError}.
 */
export function parseConfig(settings: ConfigInput = {}): Config {
  const given = Object.entries(settings).map(([name, value]) => givenByName(name, value))
  const hosts = ['host', 'philote_host'].map((name) => givenByName(name, SAFE_HOST))
  return parseGiven([...hosts, ...given]).config
}

/** Checks values from any source, without the rules about hosts. Later values win. Throws a {@link ConfigError}. */
export function parseGiven(given: readonly Given[]): {
  readonly config: Config
  /** The settings that were given and are not empty. */
  readonly names: ReadonlySet<SettingName>
  readonly notes: readonly string[]
} {
  const { values, faults, notes } = sift(given)
  const checked = check(values)
  const all = [...faults, ...checked.faults]
  if (checked.config === undefined || all.length > 0) throw new ConfigError(all)
  return {
    config: checked.config,
    names: new Set(values.keys()),
    notes: [...notes, ...mistakeNotes(values)],
  }
}

/** Returns the last non-empty value of each setting, faults for unknown names, and notes on ignored ones. */
function sift(given: readonly Given[]) {
  const values = new Map<SettingName, Given>()
  const faults: Fault[] = []
  const notes: string[] = []
  for (const one of given) {
    const setting = SETTING_BY_NAME.get(one.name)
    const old = OLD_SETTINGS.get(one.name)
    if (setting !== undefined) {
      if (!isEmpty(one.value)) values.set(setting.name, one)
    } else if (old !== undefined) notes.push(`${one.where}: ${one.name} is ignored: ${old}.`)
    else if (one.isInherited === true) {
      notes.push(`${one.where}: [DEFAULT] ${one.name} is not a setting and is ignored.`)
    } else faults.push({ where: one.where, problem: unknownName(one) })
  }
  return { values, faults, notes }
}

function unknownName({ name, spell }: Given): string {
  const found = nearest(name, [...SETTING_BY_NAME.keys()])
  const setting = found === undefined ? undefined : SETTING_BY_NAME.get(found)
  const advice = setting === undefined ? '' : `; did you mean ${spell(setting)}?`
  return `unknown setting ${JSON.stringify(name)}${advice}`
}

function check(values: Values): { config?: Config; faults: readonly Fault[] } {
  const result = ConfigSchema.safeParse(rawValues(values))
  if (result.success)
    return { config: withLogLevel(result.data), faults: sizeFaults(result.data, values) }
  const faults = result.error.issues.map((issue) => {
    const name = issue.path[0] as SettingName
    const given = values.get(name) ?? givenByName(name, undefined)
    return faultIn(given, isQuoted(given.value) ? `${issue.message}; ${QUOTES}` : issue.message)
  })
  return { faults }
}

/** Finds sections of channels with a longer history than a request may ask for. */
function sizeFaults(config: Config, values: Values): Fault[] {
  const { channel_settings: sections, max_history_size: max } = config
  const given = values.get('channel_settings') ?? givenByName('channel_settings', undefined)
  return sections
    .filter(({ settings }) => (settings.history_size ?? 0) > max)
    .map(({ pattern, where = given.where }) => ({
      where,
      problem: `[channel:${pattern}] history_size: larger than max_history_size, which is ${max}`,
    }))
}

function channelNotes({ allow_unlisted_channels: all, channel_settings }: Config): string[] {
  if (all || channel_settings.length > 0) return []
  return [
    'allow_unlisted_channels is false without any section [channel:…]: all channels are refused.',
  ]
}

function withLogLevel(config: Config): Config {
  const isLess = config.debug && config.log_level !== 'trace'
  return Object.freeze(isLess ? { ...config, log_level: 'debug' as const } : { ...config })
}

function sourcesOf(values: Values): LoadedConfig['sources'] {
  const sources = SETTINGS.map(({ name }) => [name, values.get(name)?.where ?? DEFAULT_SOURCE])
  return Object.freeze(Object.fromEntries(sources) as Record<SettingName, string>)
}
