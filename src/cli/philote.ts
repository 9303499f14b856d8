import { VERSION } from '../version.ts'
import { buildPhilote } from '../philote-app.ts'
import { shownAddress, stopOnSignal } from './running.ts'
import type { LoadedPhilote } from '../config/philote-environment.ts'
import type { Voice } from './running.ts'

/** Starts the plug-and-play Philote server and tells where it is. Resolves once it listens; signals stop it. */
export async function servePhilote(
  { settings, notes }: LoadedPhilote,
  { print, tell }: Voice,
): Promise<void> {
  const app = buildPhilote(settings)
  stopOnSignal(app, tell)
  const { authority, remark } = shownAddress(settings.host ?? '::', await app.start())
  const generation = settings.redisUrl === undefined ? 'Philote 0.3' : 'Philote 0.1'
  print(`Channelstream ${VERSION} (${generation}) listens on ws://${authority}${remark}`)
  for (const note of notes) print(`  note          ${note}`)
}
