import { readFileSync } from 'node:fs'
import { ConfigError, loadConfig } from '../config/load.ts'
import { loadPhilote } from '../config/philote-environment.ts'
import { VERSION } from '../version.ts'
import { helpText, readCommand } from './arguments.ts'
import { makeConfig } from './make-config.ts'
import { StopSignals } from './stop-signals.ts'
import type { Serving } from './running.ts'

const print = (text: string): void => void process.stdout.write(`${text}\n`)
const tell = (text: string): void => void process.stderr.write(`${text}\n`)

/** Commands that print and end. Servers and the chat see to their output themselves. */
const SIMPLE_TOOLS: ReadonlySet<string> = new Set([
  'help',
  'version',
  'make-config',
  'philote-admin',
])

/**
 * Runs the command that `argv` names, with no more in memory than it needs. Sets the exit code of the process, unless a
 * server runs. `signals`: heard already, if the command starts a server.
 */
export async function run(
  program: string,
  argv: readonly string[],
  signals: StopSignals | undefined,
): Promise<void> {
  try {
    const exitCode = await runCommand(program, argv, signals)
    // Output that could not be written has set it already.
    if (exitCode !== undefined) process.exitCode ||= exitCode
  } catch (error) {
    tell(reasonOf(error))
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
      return makeConfig(command, { env: process.env, print, tell })
    case 'serve': {
      const readFile = (path: string): string => readFileSync(path, 'utf8')
      return startServer(signals, async (serving) => {
        const loaded = loadConfig({ argv: command.argv, env: process.env, readFile })
        const { serve } = await import('./serve.ts')
        await serve(loaded, serving)
      })
    }
    case 'philote':
      return startServer(signals, async (serving) => {
        const settings = loadPhilote(command.argv, process.env)
        const { servePhilote } = await import('./philote.ts')
        await servePhilote(settings, serving)
      })
    case 'jane': {
      const { jane } = await import('./jane/jane.ts')
      const { env, stdin, stdout, stderr } = process
      return jane(command.argv, { env, streams: { stdin, stdout, stderr }, print, tell })
    }
    case 'philote-admin': {
      const { philoteAdmin } = await import('./philote-admin.ts')
      return philoteAdmin(command.argv, process.env, { print, tell })
    }
    default:
      return command satisfies never
  }
}

/** A server goes on whatever becomes of standard output and standard error. */
async function startServer(
  signals: StopSignals | undefined,
  start: (serving: Serving) => Promise<void>,
): Promise<undefined> {
  const { endProcess, serverVoice } = await import('./running.ts')
  const serving = { ...serverVoice(), signals: signals ?? new StopSignals() }
  try {
    await start(serving)
  } catch (error) {
    serving.tell(reasonOf(error))
    endProcess(1)
  }
}

/** A tool whose output cannot be written has failed. A reader that went away knows why. */
function failWithOutput(): void {
  process.stderr.on('error', () => (process.exitCode = 1))
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') tell(`channelstream: standard output: ${error.message}`)
    process.exitCode = 1
  })
}

const reasonOf = (error: unknown): string => {
  if (error instanceof ConfigError) return error.message
  return `channelstream: ${error instanceof Error ? error.message : String(error)}`
}
