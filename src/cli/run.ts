import { readFileSync } from 'node:fs'
import { ConfigError, loadConfig } from '../config/load.ts'
import { VERSION } from '../version.ts'
import { helpText, readCommand } from './arguments.ts'
import { loadPhilote } from '../config/philote-environment.ts'
import { makeConfig } from './make-config.ts'
import type { StopSignals } from './stop-signals.ts'

const print = (text: string): void => void process.stdout.write(`${text}\n`)
const tell = (text: string): void => void process.stderr.write(`${text}\n`)

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
    if (exitCode !== undefined) process.exitCode = exitCode
  } catch (error) {
    tell(
      error instanceof ConfigError
        ? error.message
        : `channelstream: ${error instanceof Error ? error.message : String(error)}`,
    )
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
      const { serve } = await import('./serve.ts')
      const loaded = loadConfig({ argv: command.argv, env: process.env, readFile })
      await serve(loaded, { print, tell, signals })
      return undefined
    }
    case 'philote': {
      const settings = loadPhilote(command.argv, process.env)
      const { servePhilote } = await import('./philote.ts')
      await servePhilote(settings, { print, tell, signals })
      return undefined
    }
    case 'jane': {
      const { jane } = await import('./jane.ts')
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
