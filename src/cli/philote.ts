import { SHUTDOWN_GRACE_SECONDS, buildPhilote } from '../app/philote.ts'
import { VERSION } from '../version.ts'
import { catchFaults } from './last-net.ts'
import { shownAddress } from './running.ts'
import { Systemd } from './systemd.ts'
import type { LoadedPhilote } from '../config/philote-environment.ts'
import type { ServeContext } from './running.ts'

/**
 * Starts the plug-and-play Philote server and prints its address and notes. Resolves when it listens. From then on,
 * signals shut it down gracefully.
 */
export async function servePhilote(
  { settings, notes }: LoadedPhilote,
  { print, printError, signals }: ServeContext,
): Promise<void> {
  const app = buildPhilote(settings)
  const graceMs = SHUTDOWN_GRACE_SECONDS * 1000
  catchFaults({ faults: app.faults, stop: signals.stop, graceMs })
  const port = await app.start()
  const systemd = new Systemd({ env: process.env, pid: process.pid, log: app.log })
  signals.stopGracefully(app, { printError, onStopping: systemd.stopping })
  systemd.ready()
  const { authority, remark } = shownAddress(settings.host ?? '::', port)
  const generation = settings.redisUrl === undefined ? 'Philote 0.3' : 'Philote 0.1'
  print(`Channelstream ${VERSION} (${generation}) listens on ws://${authority}${remark}`)
  for (const note of [...notes, ...app.limits.notes]) print(`  note          ${note}`)
}
