import { VERSION } from '../version.ts'
import { buildApp } from '../app.ts'
import type { App } from '../app.ts'
import type { LoadedConfig } from '../config/load.ts'

export interface Voice {
  /** To standard output. */
  readonly print: (sentence: string) => void
  /** To standard error. */
  readonly tell: (sentence: string) => void
}

/** Starts the server and tells where it is and what is unsafe. Resolves once it listens; signals stop it. */
export async function serve(
  { config, notes }: LoadedConfig,
  { print, tell }: Voice,
): Promise<void> {
  const app = await buildApp(config)
  stopOnSignal(app, tell)
  const port = await app.start()
  const shown = ['0.0.0.0', '::', ''].includes(config.host) ? '127.0.0.1' : config.host
  const url = `http://${shown.includes(':') ? `[${shown}]` : shown}:${port}`
  print(
    `Channelstream ${VERSION} listens on ${url}${shown === config.host ? '' : ` (${config.host}: every address)`}`,
  )
  print(`  admin         ${url}/admin`)
  print(`  API explorer  ${url}/api-explorer`)
  for (const note of notes) print(`  note          ${note}`)
}

/** The first signal stops in order; a second one stops at once. */
function stopOnSignal(app: App, tell: Voice['tell']): void {
  let isStopping = false
  const onSignal = (): void => {
    if (isStopping) process.exit(1)
    isStopping = true
    app.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        tell(`could not stop in order: ${error instanceof Error ? error.message : String(error)}`)
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
}
