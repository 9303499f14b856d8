import { VERSION } from '../version.ts'
import { buildApp } from '../app.ts'
import { shownAddress, stopOnSignal } from './running.ts'
import type { LoadedConfig } from '../config/load.ts'
import type { Voice } from './running.ts'

/** Starts the server and tells where it is and what is unsafe. Resolves once it listens; signals stop it. */
export async function serve(
  { config, notes }: LoadedConfig,
  { print, tell }: Voice,
): Promise<void> {
  const app = await buildApp(config)
  stopOnSignal(app, tell)
  const port = await app.start()
  const { authority, remark } = shownAddress(config.host, port)
  const url = `http://${authority}`
  print(`Channelstream ${VERSION} listens on ${url}${remark}`)
  print(`  admin         ${url}/admin`)
  if (app.philote) {
    const philote = shownAddress(config.philote_host, app.philote.port)
    print(`  Philote       ws://${philote.authority}${philote.remark}`)
  }
  print(`  API explorer  ${url}/api-explorer`)
  for (const note of notes) print(`  note          ${note}`)
}
