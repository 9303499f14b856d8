/** Which command runs. Nothing is done here: `run.ts` does what {@link readCommand} says. */
import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import { ConfigError, nearest } from '../config/load.ts'
import { SETTINGS, type Setting } from '../config/schema.ts'

export type Command =
  /** Start the server; `argv` is for `loadConfig`, which tells what is wrong with it. */
  | { readonly command: 'serve'; readonly argv: readonly string[] }
  | MakeConfigCommand
  /** Start the plug-and-play Philote server; `argv` is for `loadPhilote`. */
  | { readonly command: 'philote'; readonly argv: readonly string[] }
  /** A tool for Philote, which reads `argv` itself, `--help` included. */
  | { readonly command: PhiloteTool; readonly argv: readonly string[] }
  | { readonly command: 'help' }
  | { readonly command: 'version' }

export interface MakeConfigCommand {
  readonly command: 'make-config'
  /** The file to write; `-` is standard output. */
  readonly output: string
  /** A JSON object of settings, if given. */
  readonly json?: string
}

/** The program that pip installed beside the server for `make_config` alone. */
const OLD_TOOL = 'channelstream_utils'
const PHILOTE_TOOLS = ['jane', 'philote-admin'] as const
type PhiloteTool = (typeof PHILOTE_TOOLS)[number]
const COMMANDS = ['serve', 'make-config', 'philote', ...PHILOTE_TOOLS] as const
const MAKE_CONFIG_OPTIONS = {
  output: { type: 'string', short: 'o' },
  json: { type: 'string', short: 'j' },
} as const

/**
 * Reads `channelstream [serve] [options]`, `channelstream make-config -o FILE [-j JSON]`,
 * `channelstream philote [--host ADDRESS]`, `channelstream jane [flags]`,
 * `channelstream philote-admin COMMAND [flags]` and, for scripts of Channelstream 0.7,
 * `channelstream_utils make_config -o FILE [-j JSON]`.
 *
 * `program` is how the program was called (`process.argv[1]`), `argv` what follows it. Throws a
 * `ConfigError` if there is no such command, or `make-config` is not called right.
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
  if (command === 'serve' || command === 'philote') return { command, argv: argv.slice(1) }
  if (command === 'make-config') return readMakeConfig(argv)
  throw fault(word, `there is no such command${advice(command)}; --help lists what there is`)
}

/** What `--help` prints. */
export function helpText(): string {
  return [
    'channelstream [serve] [-i FILE] [options]    start the server',
    'channelstream make-config -o FILE [-j JSON]  write a configuration with fresh secrets; - prints it',
    'channelstream philote [--host ADDRESS]       start a Philote server, with the settings of its environment',
    'channelstream jane [flags]                   chat in the terminal, by Philote; --help lists the flags',
    'channelstream philote-admin COMMAND [flags]  access keys, messages and tokens of Philote; --help lists them',
    'channelstream --help | -h                    show this',
    'channelstream --version | -v                 show the version',
    '',
    'Options of the server, as in the file, or in the environment as CHANNELSTREAM_PORT and so on;',
    'the flag wins over the environment, and the environment over the file:',
    '',
    ...helpLine('-i, --ini FILE', 'The configuration file. Also CHANNELSTREAM_INI.'),
    ...SETTINGS.flatMap((setting) => helpLine(flagWithValue(setting), helpOf(setting))),
    '',
  ].join('\n')
}

/** The old tool took its operation anywhere, in front of the options or behind them. */
function readMakeConfig(argv: readonly string[]): MakeConfigCommand {
  const { values, positionals } = parseMakeConfig(argv)
  const [word = '', ...rest] = positionals
  if (word.replaceAll('_', '-') !== 'make-config' || rest.length > 0) {
    throw fault(OLD_TOOL, 'expected make_config -o FILE')
  }
  if (values.output === undefined || values.output === '') {
    throw fault(word, 'expected -o FILE, the file to write; -o - prints the configuration')
  }
  const json = values.json === undefined ? {} : { json: values.json }
  return { command: 'make-config', output: values.output, ...json }
}

function parseMakeConfig(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: MAKE_CONFIG_OPTIONS, allowPositionals: true })
  } catch (error) {
    // Node's sentences name the option, never its value.
    throw fault('make-config', error instanceof Error ? error.message : String(error))
  }
}

function has(argv: readonly string[], ...flags: readonly string[]): boolean {
  return argv.some((word) => flags.includes(word))
}

function advice(command: string): string {
  const found = nearest(command, COMMANDS)
  return found === undefined ? '' : `; did you mean ${found}?`
}

function fault(where: string, problem: string): ConfigError {
  return new ConfigError([{ where, problem }])
}

function helpLine(left: string, right: string): readonly string[] {
  return [`  ${left}`, `      ${right}`]
}

function flagWithValue({ flag, isSwitch }: Setting): string {
  return isSwitch ? `${flag}[=false]` : `${flag} VALUE`
}

/** The first sentence of the description, and the default. */
function helpOf({ description, default: fallback }: Setting): string {
  const sentence = /^.*?[.;](?= |$)/.exec(description)?.[0].replace(/;$/, '.') ?? description
  return `${sentence} Default: ${String(fallback) || 'empty'}.`
}
