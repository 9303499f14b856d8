/** Reads values from the ini file, the environment and flags. Each value keeps its place, for faults. */
import { parseArgs } from 'node:util'
import { patternProblem, readChannelSetting, type ChannelSection } from './channels.ts'
import { parseIni, type Fault, type IniSection } from './ini.ts'
import {
  SECRET_BY_FILE_NAME,
  SETTING_BY_NAME,
  SETTINGS,
  type Setting,
  type SettingName,
} from './schema.ts'
import { asBoolean, isEmpty } from './values.ts'

/** The sources of the configuration. */
export interface LoadInput {
  /** Flags without program name and command, such as `['--port', '9000']`. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** Returns the text of a file. If it throws, the error becomes a fault. */
  readonly readFile: (path: string) => string
  /** Returns the names in a directory. Without it, credentials of systemd are not read. */
  readonly listDirectory?: (path: string) => readonly string[]
}

/** One value from a source. */
export interface Given {
  readonly name: string
  readonly value: unknown
  /** The place of the value, such as `channelstream.ini:4` or `--port`. Starts the line of a fault. */
  readonly where: string
  /** Returns the name of a setting as this source spells it, for suggestions. */
  readonly spell: (setting: Setting) => string
  /** From `[DEFAULT]`, where an unknown name is not a fault, only a note. */
  readonly isInherited?: boolean
}

/** The values of the sources, and the faults found while reading them. */
export interface Gathered {
  readonly given: readonly Given[]
  readonly faults: readonly Fault[]
}

/** The given settings with their values. */
export type Values = ReadonlyMap<SettingName, Given>

const INI_VARIABLE = 'CHANNELSTREAM_INI'

/**
 * Reads every source. Values of a source with higher precedence come later. The ini file is that of
 * `-i`/`--ini`, else of `CHANNELSTREAM_INI`, else none.
 */
export function readSources({ argv, env, readFile }: LoadInput): Gathered {
  const flags = readFlags(argv)
  const path = flags.iniPath ?? { file: env[INI_VARIABLE] ?? '', where: INI_VARIABLE }
  const ini = isEmpty(path.file) ? NOTHING : readIni(path, readFile)
  return {
    given: [...ini.given, ...readEnvironment(env), ...flags.given],
    faults: [...ini.faults, ...flags.faults],
  }
}

/** Makes a {@link Given} of a value from a program. Its place is the name of the setting. */
export function givenByName(name: string, value: unknown): Given {
  return { name, value, where: name, spell: (setting) => setting.name }
}

/** Returns the values in the form that the schema takes. */
export function rawValues(values: Values): Record<string, unknown> {
  return Object.fromEntries([...values].map(([name, { value }]) => [name, value]))
}

/** Makes a fault in the value of a setting. The problem names the setting, unless `where` already does. */
export function faultIn({ name, where, spell }: Given, problem: string): Fault {
  const setting = SETTING_BY_NAME.get(name)
  const isNamed = setting !== undefined && spell(setting) === where
  return { where, problem: isNamed ? problem : `${name}: ${problem}` }
}

/** Returns the settings among the variables called `CHANNELSTREAM_*`. Ignores those that Kubernetes sets. */
export function readEnvironment(env: LoadInput['env']): readonly Given[] {
  return Object.entries(env).flatMap(([variable, value]): Given[] => {
    const isOurs = variable.startsWith('CHANNELSTREAM_') && variable !== INI_VARIABLE
    if (!isOurs || isFromKubernetes(variable, value ?? '')) return []
    const name = variable.slice('CHANNELSTREAM_'.length).toLowerCase()
    return [{ name, value, where: variable, spell: (setting) => setting.variable }]
  })
}

/**
 * Kubernetes, like Docker's links, sets variables for each service, named after it. Those of a service called
 * `channelstream` or `channelstream-redis` look like settings.
 */
function isFromKubernetes(variable: string, value: string): boolean {
  if (/_PORT$/.test(variable) && /^(tcp|udp|sctp):\/\//.test(value)) return true
  return /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/.test(
    variable,
  )
}

const NOTHING: Gathered = { given: [], faults: [] }

interface IniPath {
  readonly file: string
  /** The flag or variable that names the file. */
  readonly where: string
}

function readIni({ file, where }: IniPath, readFile: LoadInput['readFile']): Gathered {
  let text
  try {
    text = readFile(file)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return { given: [], faults: [{ where, problem: `${file} cannot be read: ${reason}` }] }
  }
  const { entries, sections = [], faults } = parseIni(text, file)
  const spell = (setting: Setting): string => setting.name
  const given: Given[] = entries.map(({ key, value, line, isInherited }) => {
    return { name: key, value, where: `${file}:${line}`, spell, isInherited }
  })
  if (sections.length === 0) return { given, faults }
  const asJson = given.find(({ name, value }) => name === CHANNEL_SETTINGS && !isEmpty(value))
  const problem = 'use either this setting or sections [channel:…], not both'
  const both = asJson ? [{ where: asJson.where, problem: `${CHANNEL_SETTINGS}: ${problem}` }] : []
  const channels = readChannels(sections, file)
  const begin = `${file}:${sections[0]?.line ?? 1}`
  return {
    given: [...given, { name: CHANNEL_SETTINGS, value: channels.read, where: begin, spell }],
    faults: [...faults, ...both, ...channels.faults],
  }
}

/** The setting that has what is in the sections `[channel:…]` of the ini file. */
const CHANNEL_SETTINGS = 'channel_settings'

function readChannels(
  sections: readonly IniSection[],
  file: string,
): { readonly read: readonly ChannelSection[]; readonly faults: readonly Fault[] } {
  const faults: Fault[] = []
  const read = sections.map(({ pattern, line, entries }): ChannelSection => {
    const problem = patternProblem(pattern)
    if (problem !== undefined)
      faults.push({ where: `${file}:${line}`, problem: `[channel:${pattern}]: ${problem}` })
    const settings = {}
    for (const entry of entries) {
      const one = readChannelSetting(entry.key, entry.value)
      if ('problem' in one)
        faults.push({
          where: `${file}:${entry.line}`,
          problem: `[channel:${pattern}] ${one.problem}`,
        })
      else Object.assign(settings, one.settings)
    }
    return { pattern, settings, where: `${file}:${line}` }
  })
  // What is faulty is reported once, with its line.
  return faults.length > 0 ? { read: [], faults } : { read, faults }
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

const spellings = (name: string, option: FlagOption): [string, FlagOption][] =>
  [name, name.replaceAll('_', '-')].map((spelling) => [spelling, option])

const FLAG_OPTIONS = Object.fromEntries<FlagOption>([
  ['ini', { type: 'string', short: 'i' }],
  ...SETTINGS.flatMap(({ name, isSwitch, fileName }): [string, FlagOption][] => {
    const option = { type: isSwitch ? 'boolean' : 'string' } as const
    const text = { type: 'string' } as const
    return [...spellings(name, option), ...(fileName ? spellings(fileName, text) : [])]
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
  const isFile = SECRET_BY_FILE_NAME.has(name)
  const where = setting?.flag ?? (isFile ? `--${name.replaceAll('_', '-')}` : token.rawName)
  if (token.inlineValue === false && token.value.startsWith('--')) {
    const problem = `missing value; if the value starts with dashes, write ${where}=VALUE`
    flags.faults.push({ where, problem })
    return
  }
  const value = token.value ?? (setting?.isSwitch === true ? switchValue(token, next) : undefined)
  if (value === undefined && (setting !== undefined || isFile || name === 'ini')) {
    flags.faults.push({ where, problem: 'missing value' })
  } else if (name === 'ini') flags.iniPath = { file: value ?? '', where }
  else flags.given.push({ name, value: value ?? '', where, spell: (found) => found.flag })
}

/** Returns the value of a switch. `--debug` alone is `true`; a following word for true or false is its value. */
function switchValue(token: OptionToken, next: Token | undefined): string {
  return next?.kind === 'positional' && mayBeValue(token, next.value) ? next.value : 'true'
}

/** Whether a word without dashes belongs to the flag before it, although the parser gave the flag no value. */
function mayBeValue(before: Token | undefined, word: string): boolean {
  if (before?.kind !== 'option' || before.value !== undefined) return false
  const isKnown = Object.hasOwn(FLAG_OPTIONS, before.name)
  return !isKnown || asBoolean(word) !== undefined
}
