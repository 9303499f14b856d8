import { SHUTDOWN_GRACE_SECONDS, buildPhilote } from '../app/philote.ts'
import { VERSION } from '../version.ts'
import { catchFaults } from './last-net.ts'
import { shownAddress } from './running.ts'
import type { LoadedPhilote } from '../config/philote-environment.ts'
import type { Serving } from './running.ts'

/** Starts the plug-and-play Philote server and tells where it is. Resolves once it listens; from then on signals stop it in order. */
export async function servePhilote(
  { settings, notes }: LoadedPhilote,
  { print, tell, signals }: Serving,
): Promise<void> {
  const app = buildPhilote(settings)
  const graceMs = SHUTDOWN_GRACE_SECONDS * 1000
  catchFaults({ faults: app.faults, stop: signals.stop, graceMs })
  const port = await app.start()
  signals.stopInOrder(app, tell)
  const { authority, remark } = shownAddress(settings.host ?? '::', port)
  const generation = settings.redisUrl === undefined ? 'Philote 0.3' : 'Philote 0.1'
  print(`Channelstream ${VERSION} (${generation}) listens on ws://${authority}${remark}`)
  for (const note of [...notes, ...app.limits.notes]) print(`  note          ${note}`)
}
