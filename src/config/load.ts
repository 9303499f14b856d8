/**
 * Brings the settings together: defaults < ini file < `CHANNELSTREAM_*` environment < flags. What is
 * unknown or cannot be read stops the start, and all of it is told at once. An empty value says nothing.
 */
import { closest, distance } from 'fastest-levenshtein'
import { isQuoted, mistakeNotes, QUOTES } from './mistakes.ts'
import { hostFaults, SAFE_HOST, warnings, withSafeHost } from './safety.ts'
import {
  ConfigSchema,
  OLD_SETTINGS,
  SETTING_BY_NAME,
  SETTINGS,
  type Config,
  type SettingName,
} from './schema.ts'
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

export type { Fault } from './ini.ts'
export type { LoadInput } from './sources.ts'

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

/** Everything that is wrong with a configuration; `message` lists it, a line each, without secrets. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  constructor(readonly faults: readonly Fault[]) {
    const lines = faults.map(({ where, problem }) => `  ${where}: ${problem}`)
    super(['The configuration cannot be used:', ...lines].join('\n'))
  }
}

const DEFAULT_SOURCE = 'default'

/**
 * Reads the configuration of the server. The file is the one of `-i`/`--ini`, else of
 * `CHANNELSTREAM_INI`, else none.
 *
 * Without a `host`, the server listens on 127.0.0.1 while a secret has its default. Throws a
 * {@link ConfigError}, also when such a server was told to listen where others can reach it.
 */
export function loadConfig(input: LoadInput): LoadedConfig {
  const read = readSources(input)
  const { values, faults, notes } = sift(read.given)
  const checked = check(values)
  const all = [...read.faults, ...faults, ...checked.faults, ...hostFaults(values)]
  if (checked.config === undefined || all.length > 0) throw new ConfigError(all)
  const config = withSafeHost(checked.config, values)
  return {
    config,
    notes: [...notes, ...mistakeNotes(values), ...warnings(config, values)],
    sources: sourcesOf(values),
  }
}

/**
 * The configuration with these settings and defaults for the others, for tests and embedding. Hosts are
 * 127.0.0.1 unless given, and default secrets are accepted wherever it listens. Throws a
 * {@link ConfigError}.
 */
export function parseConfig(settings: ConfigInput = {}): Config {
  const given = Object.entries(settings).map(([name, value]) => givenByName(name, value))
  const hosts = ['host', 'philote_host'].map((name) => givenByName(name, SAFE_HOST))
  return parseGiven([...hosts, ...given]).config
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
  return {
    config: checked.config,
    names: new Set(values.keys()),
    notes: [...notes, ...mistakeNotes(values)],
  }
}

/** The nearest of the names, or one that begins so, if any is near enough to be meant. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const longer = names.find((known) => known.startsWith(`${name}_`))
  if (longer !== undefined) return longer
  const found = closest(name, names)
  return distance(name, found) <= Math.max(2, name.length / 3) ? found : undefined
}

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
    const given = values.get(name) ?? givenByName(name, undefined)
    return faultIn(given, isQuoted(given.value) ? `${issue.message}; ${QUOTES}` : issue.message)
  })
  return { faults }
}

function withLogLevel(config: Config): Config {
  const isLess = config.debug && config.log_level !== 'trace'
  return Object.freeze(isLess ? { ...config, log_level: 'debug' as const } : { ...config })
}

function sourcesOf(values: Values): LoadedConfig['sources'] {
  const sources = SETTINGS.map(({ name }) => [name, values.get(name)?.where ?? DEFAULT_SOURCE])
  return Object.freeze(Object.fromEntries(sources) as Record<SettingName, string>)
}
