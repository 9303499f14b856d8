import { expect } from 'vitest'
import { ConfigError, loadConfig, type LoadedConfig } from '../../src/config/load.ts'

export interface Sources {
  readonly argv?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** The text of `a.ini`. If given, `-i` names this file. */
  readonly ini?: string
}

/** Loads the configuration from these sources. The ini file is called `a.ini`. */
export function load({ argv = [], env = {}, ini }: Sources): LoadedConfig {
  const flags = ini === undefined ? argv : ['-i', 'a.ini', ...argv]
  return loadConfig({ argv: flags, env, readFile: (path) => files(path, ini) })
}

function files(path: string, ini: string | undefined): string {
  if (path === 'a.ini' && ini !== undefined) return ini
  throw new Error(`ENOENT: no such file or directory, open '${path}'`)
}

/** Returns one line for each fault. */
export function faultsOf(sources: Sources): string[] {
  try {
    load(sources)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as ConfigError).message
      .split('\n')
      .slice(1)
      .map((line) => line.trim())
  }
  return []
}

/** Variables that set secrets other than the defaults. */
export const SECRETS = { CHANNELSTREAM_SECRET: 'a', CHANNELSTREAM_ADMIN_SECRET: 'b' }
/** Returns the text of an ini file with these lines. */
export const section = (...lines: string[]): string => ['[channelstream]', ...lines, ''].join('\n')
