/** Writes a configuration with fresh secrets, as `channelstream_utils make_config` did. */
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { ConfigError, parseGiven } from '../config/load.ts'
import { SETTINGS, type Config, type PlainValue, type Setting } from '../config/schema.ts'
import { readSecretFiles } from '../config/secret-files.ts'
import { givenByName, readEnvironment, type Given } from '../config/sources.ts'
import type { ChannelSection } from '../config/channels.ts'
import type { MakeConfigCommand } from './arguments.ts'

/** What {@link makeConfig} needs from the process. */
export interface MakeConfigContext {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Returns the text of a file with a secret. */
  readonly readFile: (path: string) => string
  /** Prints the configuration for `-o -`, else what to do with the file. */
  readonly print: (text: string) => void
  /** Prints errors and notes. */
  readonly printError: (sentence: string) => void
}

const SECRET_BYTES = 32
const OWNER_ONLY = 0o600
const LINE_WIDTH = 96
const STANDARD_OUTPUT = '-'

/**
 * Writes the file and returns the exit code: 0 on success. 1 if the file exists already or cannot be written,
 * or if a given value is invalid; it prints the reason.
 *
 * Secrets are random. Values in the JSON object, or without one, in `CHANNELSTREAM_*` variables, are used
 * instead. All other settings are comments. Only the owner may read the file.
 */
export function makeConfig(command: MakeConfigCommand, context: MakeConfigContext): number {
  try {
    const text = renderFresh(command, context)
    if (command.output === STANDARD_OUTPUT) context.print(text)
    else {
      writeNew(command.output, text)
      context.print(nextSteps(command.output))
    }
    return 0
  } catch (error) {
    context.printError(error instanceof Error ? error.message : String(error))
    return 1
  }
}

const nextSteps = (file: string): string =>
  [
    `Wrote ${file}. Only you can read it.`,
    '  secret        in it is what your backends sign with',
    '  admin_secret  in it is the password for /admin',
    'Start the server with it:',
    `  channelstream --ini ${file}`,
    `  npm start -- --ini ${file}   (in the folder of its source)`,
  ].join('\n')

/**
 * Returns the text of an ini file with every setting: those in `values` with these values, the others as comments
 * that show the default. Throws a `ConfigError` for text that an ini file cannot represent.
 */
export function renderIni({
  channel_settings: channels = [],
  ...values
}: Partial<Config> = {}): string {
  const sections = new Set(SETTINGS.map(({ section }) => section))
  const parts = [...sections].flatMap((section) => [
    `# ---- ${section} ----`,
    ...SETTINGS.filter((setting) => setting.section === section).map((setting) =>
      renderSetting(setting, values[setting.name as keyof typeof values]),
    ),
  ])
  return [HEADER, ...parts, CHANNELS, ...channels.map(renderChannels)].join('\n\n') + '\n'
}

const CHANNELS = `\
# ---- Settings of channels, by name or prefix ----

# The longest match applies to a new channel. What a request says overrides it. To use an example, remove the "# ".

# [channel:chat-*]
# store_history = true
# history_size = 100
# history_ttl = 604800
# notify_presence = true

# [channel:news]
# store_history = true`

function renderChannels({ pattern, settings }: ChannelSection): string {
  if (pattern !== pattern.trim() || /[\r\n]/.test(pattern)) {
    const problem = `an ini file cannot have a section for the channel ${JSON.stringify(pattern)}`
    throw new ConfigError([{ where: 'channel_settings', problem }])
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${String(value)}`)
  return [`[channel:${pattern}]`, ...lines].join('\n')
}

const HEADER = `\
# Configuration of Channelstream. See docs/configuration.md.
#
# A line "#name = value" shows a default. Remove the "#" to change it. CHANNELSTREAM_* variables and
# flags override this file. Write "%%" for a "%" in a value.
#
# To generate fresh secrets: channelstream make-config -o channelstream.ini

[channelstream]`

function renderSetting(setting: Setting, value: PlainValue | undefined): string {
  const { name, description, expected, fileName } = setting
  const line = `${name} = ${iniText(setting, value ?? setting.default)}`.trimEnd()
  const comment = [...wrap(description), ...wrap(`Value: ${expected}.${orFile(fileName)}`)].map(
    (part) => `# ${part}`,
  )
  return [...comment, value === undefined ? `#${line}` : line].join('\n')
}

const orFile = (fileName: string | undefined): string =>
  fileName === undefined ? '' : ` Or ${fileName}, the path of a file with it.`

function iniText({ name, hasTextLines }: Setting, value: PlainValue): string {
  const parts: readonly unknown[] = Array.isArray(value) ? value : [value]
  const lines = hasTextLines ? parts.map(String) : [parts.join(', ')]
  if (lines.some((line) => line !== line.trim()))
    throw unwritable(name, 'an ini file cannot keep whitespace around a value')
  if (lines.slice(1).some((line) => /^[#;]/.test(line)))
    throw unwritable(name, 'a line of an ini file that starts with # or ; is a comment')
  return lines.join('\n    ').replaceAll('%', '%%')
}

const unwritable = (where: string, problem: string): ConfigError =>
  new ConfigError([{ where, problem }])

function renderFresh(
  { json }: MakeConfigCommand,
  { env, readFile, printError }: MakeConfigContext,
): string {
  // The JSON object or the environment, not both, as in Channelstream 0.7.
  const given = json === undefined ? readEnvironment(env) : readJson(json)
  const { given: withFiles, faults } = readSecretFiles(given, { env, readFile })
  if (faults.length > 0) throw new ConfigError(faults)
  const { config, names, notes } = parseGiven(withFiles)
  for (const note of notes) printError(note)
  const values = SETTINGS.flatMap(({ name, isGenerated }) => {
    if (names.has(name)) return [[name, config[name]]]
    return isGenerated ? [[name, randomBytes(SECRET_BYTES).toString('base64url')]] : []
  })
  return renderIni(Object.fromEntries(values) as Partial<Config>)
}

function readJson(json: string): readonly Given[] {
  const settings = parseObject(json)
  if (settings !== undefined) {
    return Object.entries(settings).map(([name, value]) => givenByName(name, value))
  }
  // The message of JSON.parse is not shown: it quotes the text, which contains secrets.
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
    const problem = `${path} already exists and was not changed. Choose another name.`
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
