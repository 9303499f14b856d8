import { buildApp } from '../app/server.ts'
import { checkSecretsOfRunning, checkSecretsOnPassed } from '../config/safety.ts'
import { passedSockets } from '../net/passed-sockets.ts'
import { VERSION } from '../version.ts'
import { catchFaults } from './last-net.ts'
import { reloading } from './reload.ts'
import { shownAddress, shownBase } from './running.ts'
import { Systemd } from './systemd.ts'
import type { LoadedConfig } from '../config/load.ts'
import type { ServeContext } from './running.ts'

/**
 * Starts the server and prints its addresses and notes. Resolves when it listens. From then on, signals shut it down
 * gracefully, and SIGHUP makes it read the configuration again. `load` reads it.
 */
export async function serve(
  load: () => LoadedConfig,
  { print, printError, signals }: ServeContext,
): Promise<void> {
  const { config, notes } = load()
  const passed = passedSockets(process.env, process.pid)
  checkSecretsOnPassed(config, passed)
  const app = await buildApp(config)
  const graceMs = config.shutdown_grace * 1000
  catchFaults({ faults: app.faults, stop: signals.stop, graceMs })
  const { host, port } = await app.start(passed)
  const systemd = new Systemd({ env: process.env, pid: process.pid, log: app.http.log })
  signals.stopGracefully(app, { printError, onStopping: systemd.stopping })
  const reload = reloading({
    app,
    load,
    notes,
    print,
    check: (next) => checkSecretsOfRunning(next, passed),
  })
  signals.hangUp.reloadBy(reload, app.faults.note)
  systemd.ready()
  const { base, remark } = shownBase(host, port)
  // The pages have no address of their own at a Unix domain socket: a proxy gives them one.
  const url = base.startsWith('http') ? base : ''
  print(`Channelstream ${VERSION} listens on ${base}${remark}`)
  print(`  admin         ${url}/admin`)
  if (app.philote) {
    const philote = shownAddress(config.philote_host, app.philote.port)
    print(`  Philote       ws://${philote.authority}${philote.remark}`)
  }
  print(`  API explorer  ${url}/api-explorer`)
  for (const note of [...notes, ...app.limits.notes]) print(`  note          ${note}`)
}
