import { buildPhilote } from '../../src/app/philote.ts'
import { loadPhilote } from '../../src/config/philote-environment.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { PhiloteApp } from '../../src/app/philote.ts'
import type { Clock } from '../../src/lib/clock.ts'

export const SECRET = 'conformance-secret'

export interface PhiloteTestServer {
  readonly app: PhiloteApp
  readonly port: number
  close(): Promise<void>
}

/** Starts a plug-and-play Philote server in this process, on a free port, with this environment. */
export async function startPhilote(
  env: Readonly<Record<string, string>> = {},
  clock: Clock = systemClock,
): Promise<PhiloteTestServer> {
  const { settings } = loadPhilote([], { SECRET, LOGLEVEL: 'fatal', ...env, PORT: '0' })
  const app = buildPhilote(settings, clock)
  const port = await app.start()
  return { app, port, close: () => app.stop() }
}
