/** Writes a configuration with fresh secrets, as `channelstream_utils make_config` did. */
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { ConfigError, parseGiven } from '../config/load.ts'
import { SETTINGS, type Config, type Setting, type SettingName } from '../config/schema.ts'
import { givenByName, readEnvironment, type Given } from '../config/sources.ts'
import type { MakeConfigCommand } from './arguments.ts'

/** What {@link makeConfig} needs of the process. */
export interface MakeConfigContext {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Gets the configuration, for `-o -`. */
  readonly print: (text: string) => void
  /** Gets sentences for people. */
  readonly tell: (sentence: string) => void
}

const SECRET_BYTES = 32
const OWNER_ONLY = 0o600
const LINE_WIDTH = 96
const STANDARD_OUTPUT = '-'

/**
 * Writes the file and gives the exit code: 0, or 1 if it exists already, cannot be written, or a given
 * value is not right, which is told.
 *
 * Secrets are random. Values of the JSON object, or, without one, of `CHANNELSTREAM_*` variables, go
 * before; all else stands there as a comment. Only the owner may read the file.
 */
export function makeConfig(command: MakeConfigCommand, context: MakeConfigContext): number {
  try {
    const text = renderFresh(command, context)
    if (command.output === STANDARD_OUTPUT) context.print(text)
    else writeNew(command.output, text)
    return 0
  } catch (error) {
    context.tell(error instanceof Error ? error.message : String(error))
    return 1
  }
}

/**
 * The text of an ini file with every setting: `values` as they are, the others as comments that show
 * the default. Throws a `ConfigError` for text that an ini file cannot hold.
 */
export function renderIni(values: Partial<Config> = {}): string {
  const sections = new Set(SETTINGS.map(({ section }) => section))
  const parts = [...sections].flatMap((section) => [
    `# ---- ${section} ----`,
    ...SETTINGS.filter((setting) => setting.section === section).map((setting) =>
      renderSetting(setting, values[setting.name]),
    ),
  ])
  return [HEADER, ...parts].join('\n\n') + '\n'
}

const HEADER = `\
# Configuration of Channelstream; docs/configuration.md says more about it.
#
# A line "#name = value" shows a default. Take away the "#" to change it. CHANNELSTREAM_* variables
# and flags go before this file. A "%" in a value is written "%%".
#
# Fresh secrets: channelstream make-config -o channelstream.ini

[channelstream]`

function renderSetting(setting: Setting, value: Config[SettingName] | undefined): string {
  const { name, description, expected } = setting
  const line = `${name} = ${iniText(setting, value ?? setting.default)}`.trimEnd()
  const comment = [...wrap(description), ...wrap(`Value: ${expected}.`)].map((part) => `# ${part}`)
  return [...comment, value === undefined ? `#${line}` : line].join('\n')
}

function iniText({ name }: Setting, value: Config[SettingName]): string {
  const text = Array.isArray(value) ? value.join(', ') : String(value)
  if (text === text.trim()) return text.replaceAll('%', '%%')
  const problem = 'white space around a value would get lost in an ini file'
  throw new ConfigError([{ where: name, problem }])
}

function renderFresh({ json }: MakeConfigCommand, { env, tell }: MakeConfigContext): string {
  // One or the other, as in Channelstream 0.7.
  const { config, names, notes } = parseGiven(
    json === undefined ? readEnvironment(env) : readJson(json),
  )
  for (const note of notes) tell(note)
  const values = SETTINGS.flatMap(({ name, isMade }) => {
    if (names.has(name)) return [[name, config[name]]]
    return isMade ? [[name, randomBytes(SECRET_BYTES).toString('base64url')]] : []
  })
  return renderIni(Object.fromEntries(values) as Partial<Config>)
}

function readJson(json: string): readonly Given[] {
  const settings = parseObject(json)
  if (settings !== undefined) {
    return Object.entries(settings).map(([name, value]) => givenByName(name, value))
  }
  // Without what JSON.parse says, which quotes the text, and there are secrets in it.
  const problem = 'expected a JSON object of settings, such as {"port": 9000}'
  throw new ConfigError([{ where: '--json', problem }])
}

function parseObject(json: string): object | undefined {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}

function writeNew(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'wx', mode: OWNER_ONLY })
  } catch (error) {
    const isThere = error instanceof Error && 'code' in error && error.code === 'EEXIST'
    if (!isThere) throw error
    const problem = `${path} exists already; it is left as it is. Choose another name.`
    throw new Error(problem, { cause: error })
  }
}

function wrap(text: string): readonly string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last === undefined || last.length + 1 + word.length > LINE_WIDTH) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}
