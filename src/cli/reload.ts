/** Reads the configuration of a running server again. */
import type { App } from '../app/server.ts'
import type { LoadedConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'

interface ReloadDeps {
  readonly app: Pick<App, 'reload' | 'http'>
  /** Throws if the configuration has faults. */
  readonly load: () => LoadedConfig
  /** Throws if a running server must not have this configuration. */
  readonly check: (read: Config) => void
  /** The notes of the configuration that it runs with. */
  readonly notes: readonly string[]
}

/**
 * Returns a function that reads the configuration and applies what a running server can change. It logs the names of the
 * settings that changed and of those whose new values need a restart, without any value, and notes that are new. With a
 * fault, everything stays as it is.
 */
export function reloading({ app, load, check, notes }: ReloadDeps): () => Promise<void> {
  const { log } = app.http
  let known: ReadonlySet<string> = new Set(notes)

  return async () => {
    try {
      const read = load()
      check(read.config)
      const { applied, needRestart } = await app.reload(read.config)
      for (const note of read.notes) if (!known.has(note)) log.warn(note)
      known = new Set(read.notes)
      const level = needRestart.length > 0 ? 'warn' : 'info'
      log[level]({ changed: applied, needRestart }, 'the configuration was read again')
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      log.error({ reason }, 'the configuration was read again and cannot be used: nothing changes')
    }
  }
}
