#!/usr/bin/env -S node --max-semi-space-size=16
import { readFileSync } from 'node:fs'
import { ConfigError, loadConfig } from './config/load.ts'
import { VERSION } from './version.ts'
import { helpText, readCommand } from './cli/arguments.ts'
import { loadPhilote } from './config/philote-environment.ts'
import { makeConfig } from './cli/make-config.ts'

const print = (text: string): void => void process.stdout.write(`${text}\n`)
const tell = (text: string): void => void process.stderr.write(`${text}\n`)

/** Runs the command that argv names, with no more in memory than it needs; answers the exit code, or undefined while a server runs. */
async function main(program: string, argv: readonly string[]): Promise<number | undefined> {
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
      const { serve } = await import('./cli/serve.ts')
      await serve(loadConfig({ argv: command.argv, env: process.env, readFile }), { print, tell })
      return undefined
    }
    case 'philote': {
      const settings = loadPhilote(command.argv, process.env)
      const { servePhilote } = await import('./cli/philote.ts')
      await servePhilote(settings, { print, tell })
      return undefined
    }
    case 'jane': {
      const { jane } = await import('./cli/jane.ts')
      const { env, stdin, stdout, stderr } = process
      return jane(command.argv, { env, streams: { stdin, stdout, stderr }, print, tell })
    }
    case 'philote-admin': {
      const { philoteAdmin } = await import('./cli/philote-admin.ts')
      return philoteAdmin(command.argv, process.env, { print, tell })
    }
    default:
      return command satisfies never
  }
}

try {
  const exitCode = await main(process.argv[1] ?? '', process.argv.slice(2))
  if (exitCode !== undefined) process.exitCode = exitCode
} catch (error) {
  tell(
    error instanceof ConfigError
      ? error.message
      : `channelstream: ${error instanceof Error ? error.message : String(error)}`,
  )
  process.exitCode = 1
}
