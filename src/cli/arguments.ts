/** Reads which command to run. `run.ts` runs it. */
import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import { nearest } from '../config/load.ts'
import { SETTINGS, type Setting } from '../config/schema.ts'

export type Command =
  /** Start the server. `argv` is for `loadConfig`, which checks it. */
  | { readonly command: 'serve'; readonly argv: readonly string[] }
  | MakeConfigCommand
  | RecoverDataCommand
  /** Write or read a snapshot. `argv` is for `loadConfig`. */
  | { readonly command: 'export' | 'import'; readonly argv: readonly string[] }
  /** Start the plug-and-play Philote server. `argv` is for `loadPhilote`. */
  | { readonly command: 'philote'; readonly argv: readonly string[] }
  /** A tool for Philote. It reads `argv` itself, including `--help`. */
  | { readonly command: PhiloteTool; readonly argv: readonly string[] }
  | { readonly command: 'help' }
  | { readonly command: 'version' }

export interface MakeConfigCommand {
  readonly command: 'make-config'
  /** The file to write. `-` is standard output. */
  readonly output: string
  /** A JSON object of settings, if given. */
  readonly json?: string
}

export interface RecoverDataCommand {
  readonly command: 'recover-data'
  readonly directory: string
}

/** The program arguments are wrong. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
}

/** The program that pip installed with the server, only for `make_config`. */
const OLD_TOOL = 'channelstream_utils'
const PHILOTE_TOOLS = ['jane', 'philote-admin'] as const
type PhiloteTool = (typeof PHILOTE_TOOLS)[number]
/** Their arguments are those of the server. */
const WITH_SETTINGS = ['serve', 'philote', 'export', 'import'] as const
const COMMANDS = [...WITH_SETTINGS, 'make-config', 'recover-data', ...PHILOTE_TOOLS] as const
const MAKE_CONFIG_OPTIONS = {
  output: { type: 'string', short: 'o' },
  json: { type: 'string', short: 'j' },
} as const

/**
 * Reads `channelstream [serve] [options]`, `channelstream make-config -o FILE [-j JSON]`,
 * `channelstream recover-data DIRECTORY`, `channelstream export [options]`, `channelstream import [options]`,
 * `channelstream philote [--host ADDRESS]`, `channelstream jane [flags]`, `channelstream philote-admin COMMAND [flags]`
 * and, for scripts of Channelstream 0.7, `channelstream_utils make_config -o FILE [-j JSON]`.
 *
 * `program` is the path of the program (`process.argv[1]`), `argv` the arguments after it. Throws a
 * {@link CommandError} for an unknown command and for wrong arguments of `make-config` and `recover-data`.
 */
export function readCommand(program: string, argv: readonly string[]): Command {
  const isOldTool = basename(program).replace(/\.[^.]*$/, '') === OLD_TOOL
  const tool = PHILOTE_TOOLS.find((name) => name === argv[0])
  if (tool !== undefined && !isOldTool) return { command: tool, argv: argv.slice(1) }
  if (has(argv, '--help', '-h')) return { command: 'help' }
  if (has(argv, '--version', '-v')) return { command: 'version' }
  if (isOldTool) return readMakeConfig(argv)
  const [word] = argv
  if (word === undefined || word.startsWith('-')) return { command: 'serve', argv }
  const command = word.replaceAll('_', '-')
  const withSettings = WITH_SETTINGS.find((name) => name === command)
  if (withSettings !== undefined) return { command: withSettings, argv: argv.slice(1) }
  if (command === 'make-config') return readMakeConfig(argv)
  if (command === 'recover-data') return readRecoverData(argv.slice(1))
  throw new CommandError(`Unknown command "${word}".${suggestion(command)} Try --help.`)
}

/** Returns the text that `--help` prints. */
export function helpText(): string {
  return [
    'channelstream [serve] [-i FILE] [options]    start the server',
    'channelstream make-config -o FILE [-j JSON]  write a configuration with fresh secrets; -o - prints it',
    'channelstream recover-data DIRECTORY         make a damaged data_dir usable: keep what was there before the damage',
    'channelstream export [-i FILE] [options]     write what data_dir or Redis keeps to standard output, while no server runs',
    'channelstream import [-i FILE] [options]     read that from standard input into an empty data_dir or Redis',
    'channelstream philote [--host ADDRESS]       start a Philote server, configured by environment variables',
    'channelstream jane [flags]                   chat in the terminal over Philote; --help lists the flags',
    'channelstream philote-admin COMMAND [flags]  create access keys, messages and tokens for Philote; see --help',
    'channelstream --help | -h                    show this help',
    'channelstream --version | -v                 show the version',
    '',
    'Server options. Each can also be set in the file, or in the environment, such as CHANNELSTREAM_PORT.',
    'Flags override the environment, and the environment overrides the file.',
    '',
    ...helpLine(
      '-i, --ini FILE',
      'The configuration file. Environment variable: CHANNELSTREAM_INI.',
    ),
    ...SETTINGS.flatMap((setting) => helpLine(flagWithValue(setting), helpOf(setting))),
    '',
  ].join('\n')
}

function readRecoverData(words: readonly string[]): RecoverDataCommand {
  const [directory = ''] = words
  if (words.length !== 1 || directory === '' || directory.startsWith('-'))
    throw new CommandError('Usage: channelstream recover-data DIRECTORY')
  return { command: 'recover-data', directory }
}

/** The command may be before or after the options, as with the old tool. */
function readMakeConfig(argv: readonly string[]): MakeConfigCommand {
  const { values, positionals } = parseMakeConfig(argv)
  const [word = '', ...rest] = positionals
  if (word.replaceAll('_', '-') !== 'make-config' || rest.length > 0) {
    throw new CommandError(`Usage: ${OLD_TOOL} make_config -o FILE`)
  }
  if (values.output === undefined || values.output === '') {
    throw new CommandError(`${word}: missing -o FILE. Use -o - to print the configuration.`)
  }
  const json = values.json === undefined ? {} : { json: values.json }
  return { command: 'make-config', output: values.output, ...json }
}

function parseMakeConfig(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: MAKE_CONFIG_OPTIONS, allowPositionals: true })
  } catch (error) {
    // Node's messages name the option, never its value.
    throw new CommandError(`make-config: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function has(argv: readonly string[], ...flags: readonly string[]): boolean {
  return argv.some((word) => flags.includes(word))
}

function suggestion(command: string): string {
  const found = nearest(command, COMMANDS)
  return found === undefined ? '' : ` Did you mean ${found}?`
}

function helpLine(left: string, right: string): readonly string[] {
  return [`  ${left}`, `      ${right}`]
}

function flagWithValue({ flag, isSwitch, fileName }: Setting): string {
  const withFile = fileName === undefined ? '' : ` | ${flag}-file FILE`
  return isSwitch ? `${flag}[=false]` : `${flag} VALUE${withFile}`
}

/** Returns the first sentence of the description, and the default. */
function helpOf({ description, default: fallback }: Setting): string {
  const sentence = /^.*?[.;](?= |$)/.exec(description)?.[0].replace(/;$/, '.') ?? description
  // Only sections of channels are objects, and by default there are none.
  const shown = typeof fallback === 'object' ? fallback.map(String).join(', ') : String(fallback)
  return `${sentence} Default: ${shown || 'empty'}.`
}
