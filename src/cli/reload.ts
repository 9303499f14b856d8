/** Reads the configuration of a running server again. */
import { reasonOf } from '../lib/reason.ts'
import type { App } from '../app/server.ts'
import type { LoadedConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'

interface ReloadDeps {
  readonly app: Pick<App, 'reload' | 'http' | 'limits'>
  /** Throws if the configuration has faults. */
  readonly load: () => LoadedConfig
  /** Throws if the running server must not have this configuration. */
  readonly check: (next: Config) => void
  /** Writes to standard output, whatever the level of the log. */
  readonly print: (sentence: string) => void
  /** The notes of the configuration that it runs with. */
  readonly notes: readonly string[]
}

/**
 * Returns a function that reads the configuration and applies what a running server can change. It logs the names of the
 * settings that changed and of those whose new values need a restart, without any value, and notes that are new. With a
 * fault, everything stays as it is.
 */
export function reloading({ app, load, check, print, notes }: ReloadDeps): () => Promise<void> {
  const { log } = app.http
  const withLimits = (others: readonly string[]) => new Set([...others, ...app.limits.notes])
  let known: ReadonlySet<string> = withLimits(notes)

  return async () => {
    try {
      const read = load()
      const { applied, needRestart } = await app.reload(read.config, check)
      const now = withLimits(read.notes)
      for (const note of now) if (!known.has(note)) log.warn(note)
      known = now
      const level = needRestart.length > 0 ? 'warn' : 'info'
      log[level]({ changed: applied, needRestart }, 'the configuration was read again')
      print(`configuration read again: ${resultOf(applied, needRestart)}`)
    } catch (error) {
      const reason = reasonOf(error)
      log.error({ reason }, 'the configuration was read again and cannot be used: nothing changes')
      print(`configuration read again, and nothing changes: ${reason}`)
    }
  }
}

function resultOf(applied: readonly string[], needRestart: readonly string[]): string {
  if (applied.length + needRestart.length === 0) return 'nothing to change'
  return [
    ...(applied.length > 0 ? [`changed ${applied.join(', ')}`] : []),
    ...(needRestart.length > 0 ? [`a restart is needed for ${needRestart.join(', ')}`] : []),
  ].join('; ')
}
