import { buildApp } from '../../src/app/server.ts'
import { parseConfig } from '../../src/config/load.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { App } from '../../src/app/server.ts'
import type { ConfigInput } from '../../src/config/load.ts'
import type { Clock } from '../../src/lib/clock.ts'

export interface TestServer {
  readonly app: App
  readonly host: string
  readonly port: number
  readonly url: string
  close(): Promise<void>
}

/** Starts a complete server on a free loopback port. It logs nothing unless the settings say otherwise. */
export async function startServer(
  settings: ConfigInput = {},
  clock: Clock = systemClock,
): Promise<TestServer> {
  const host = '127.0.0.1'
  const app = await buildApp(
    parseConfig({ host, port: 0, log_level: 'fatal', shutdown_grace: 0.5, ...settings }),
    clock,
  )
  const { port } = await app.start()
  return { app, host, port, url: `http://${host}:${port}`, close: () => app.stop() }
}
