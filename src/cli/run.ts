import { readFileSync, readdirSync } from 'node:fs'
import { ConfigError, loadConfig } from '../config/load.ts'
import { loadPhilote } from '../config/philote-environment.ts'
import { SnapshotError } from '../store/snapshot/snapshot-error.ts'
import { VERSION } from '../version.ts'
import { CommandError, helpText, readCommand } from './arguments.ts'
import { makeConfig } from './make-config.ts'
import { printable } from './printable.ts'
import { StopSignals } from './stop-signals.ts'
import type { LoadedConfig } from '../config/load.ts'
import type { ServeContext } from './running.ts'

const print = (text: string): void => void process.stdout.write(`${text}\n`)
const printError = (text: string): void => void process.stderr.write(`${text}\n`)

/** Commands that print and end. Servers and the chat handle errors of their output themselves. */
const SIMPLE_TOOLS: ReadonlySet<string> = new Set([
  'help',
  'version',
  'make-config',
  'recover-data',
  'export',
  'import',
  'philote-admin',
])

/**
 * Runs the command that `argv` names, and loads only the modules that it needs. Sets the exit code of the process,
 * unless a server runs. `signals` already listens for signals, if the command starts a server.
 */
export async function run(
  program: string,
  argv: readonly string[],
  signals: StopSignals | undefined,
): Promise<void> {
  try {
    const exitCode = await runCommand(program, argv, signals)
    // A failed write to the output has already set the exit code.
    if (exitCode !== undefined) process.exitCode ||= exitCode
  } catch (error) {
    printError(reasonOf(error))
    process.exitCode = 1
  }
}

/** Resolves with the exit code, or with undefined while a server runs. */
async function runCommand(
  program: string,
  argv: readonly string[],
  signals: StopSignals | undefined,
): Promise<number | undefined> {
  const command = readCommand(program, argv)
  if (SIMPLE_TOOLS.has(command.command)) failWithOutput()
  switch (command.command) {
    case 'help':
      print(helpText())
      return 0
    case 'version':
      print(VERSION)
      return 0
    case 'make-config':
      return makeConfig(command, { env: process.env, ...FILES, print, printError })
    case 'recover-data': {
      const { recoverData } = await import('./recover-data.ts')
      return recoverData(command, { print })
    }
    case 'export': {
      const { config } = configOf(command.argv)
      const { exportData } = await import('./move-data.ts')
      return exportData(config, process.stdout, printError)
    }
    case 'import': {
      const { config } = configOf(command.argv)
      const { importData } = await import('./move-data.ts')
      return importData(config, process.stdin, print)
    }
    case 'serve':
      return startServer(signals, async (context) => {
        const load = (): LoadedConfig => configOf(command.argv)
        const { serve } = await import('./serve.ts')
        await serve(load, context)
      })
    case 'philote':
      return startServer(signals, async (context) => {
        const settings = loadPhilote(command.argv, process.env)
        const { servePhilote } = await import('./philote.ts')
        await servePhilote(settings, context)
      })
    case 'jane': {
      const { jane } = await import('./jane/jane.ts')
      const { env, stdin, stdout, stderr } = process
      return jane(command.argv, { env, streams: { stdin, stdout, stderr }, print, printError })
    }
    case 'philote-admin': {
      const { philoteAdmin } = await import('./philote-admin.ts')
      return philoteAdmin(command.argv, process.env, { print, printError })
    }
    default:
      return command satisfies never
  }
}

/** How the configuration reads files. */
const FILES = {
  readFile: (path: string): string => readFileSync(path, 'utf8'),
  listDirectory: (path: string): readonly string[] => readdirSync(path),
}

function configOf(argv: readonly string[]): LoadedConfig {
  return loadConfig({ argv, env: process.env, ...FILES })
}

/** Starts a server, which keeps running if standard output or standard error fails. */
async function startServer(
  signals: StopSignals | undefined,
  start: (context: ServeContext) => Promise<void>,
): Promise<undefined> {
  const { endProcess, serverOutput } = await import('./running.ts')
  const context = { ...serverOutput(), signals: signals ?? new StopSignals() }
  try {
    await start(context)
  } catch (error) {
    context.printError(reasonOf(error))
    endProcess(1)
  }
}

/** Makes the command fail if its output cannot be written. Prints no message if the reader has closed the pipe. */
function failWithOutput(): void {
  process.stderr.on('error', () => (process.exitCode = 1))
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') printError(`channelstream: standard output: ${error.message}`)
    process.exitCode = 1
  })
}

const reasonOf = (error: unknown): string => {
  if (error instanceof ConfigError || error instanceof CommandError) return error.message
  // It may name users and channels.
  if (error instanceof SnapshotError) return `channelstream: ${printable(error.message)}`
  return `channelstream: ${error instanceof Error ? error.message + adviceFor(error) : String(error)}`
}

function adviceFor({ code, syscall }: NodeJS.ErrnoException): string {
  if (syscall !== 'listen') return ''
  if (code === 'EADDRINUSE')
    return '. Another program has this port: choose one with --port (or --philote-port)'
  if (code === 'EACCES') return '. Ports below 1024 need rights: choose another one with --port'
  return ''
}
