import { buildApp } from '../app/server.ts'
import { VERSION } from '../version.ts'
import { catchFaults } from './last-net.ts'
import { shownAddress } from './running.ts'
import type { LoadedConfig } from '../config/load.ts'
import type { Serving } from './running.ts'

/** Starts the server and tells where it is and what is unsafe. Resolves once it listens; from then on signals stop it in order. */
export async function serve(
  { config, notes }: LoadedConfig,
  { print, tell, signals }: Serving,
): Promise<void> {
  const app = await buildApp(config)
  const graceMs = config.shutdown_grace * 1000
  catchFaults({ faults: app.faults, stop: signals.stop, graceMs })
  const port = await app.start()
  signals.stopInOrder(app, tell)
  const { authority, remark } = shownAddress(config.host, port)
  const url = `http://${authority}`
  print(`Channelstream ${VERSION} listens on ${url}${remark}`)
  print(`  admin         ${url}/admin`)
  if (app.philote) {
    const philote = shownAddress(config.philote_host, app.philote.port)
    print(`  Philote       ws://${philote.authority}${philote.remark}`)
  }
  print(`  API explorer  ${url}/api-explorer`)
  for (const note of [...notes, ...app.limits.notes]) print(`  note          ${note}`)
}
