import { afterEach, describe, expect, it } from 'vitest'
import { buildApp } from '../../src/app/server.ts'
import { parseConfig } from '../../src/config/load.ts'
import { listen } from '../../src/http/bind-port.ts'
import { openPort } from '../../src/http/server.ts'
import { send } from '../helpers/http.ts'
import { RawClient, closeClients, handshake } from '../helpers/websocket.ts'
import type { App } from '../../src/app/server.ts'
import type { Address } from '../helpers/http.ts'

const apps: App[] = []
afterEach(async () => {
  closeClients()
  for (const app of apps.splice(0)) await app.stop()
})

/** Returns where it listens if `localhost` resolves to these addresses. */
async function listenOn(
  addresses: readonly string[],
  max_sockets = 100,
): Promise<{ app: App; ports: Address[] }> {
  const app = await buildApp(parseConfig({ log_level: 'silent', max_sockets, shutdown_grace: 0.5 }))
  apps.push(app)
  app.limits.start()
  const { http, limits } = app
  await listen(
    http,
    { host: 'localhost', port: 0 },
    (handler) => openPort({ limits, keepAliveMs: 1000, logger: http.log }, handler),
    () => Promise.resolve(addresses.map((address) => ({ address }))),
  )
  const own = http.server.address()
  const port = typeof own === 'object' && own ? own.port : 0
  return { app, ports: addresses.map((host) => ({ host, port })) }
}

describe('a server on localhost', () => {
  it('serves requests and handshakes at each of its addresses, and refuses what it refuses at one', async () => {
    const { ports } = await listenOn(['127.0.0.1', '127.0.0.2'])
    for (const address of ports) {
      expect((await send(address, 'GET /health')).status).toBe(200)
      const webSocket = await RawClient.connect(address)
      webSocket.write(handshake('/ws?conn_id=wrong'))
      expect(await webSocket.answered()).toBe(422)
      const twoHosts = await RawClient.connect(address)
      twoHosts.write('GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n')
      expect(await twoHosts.answered()).toBe(400)
    }
  })

  it('limits the sockets of all of its addresses together', async () => {
    const { app, ports } = await listenOn(['127.0.0.1', '127.0.0.2'], 3)
    const [first, second] = ports as [Address, Address]
    for (const address of [first, second, second]) await RawClient.connect(address)
    for (const address of ports) expect((await send(address, 'GET /health')).status).toBe(503)
    expect(app.limits.figures.refused.total).toBe(2)
  })

  it('starts without those addresses that cannot be listened on', async () => {
    const { ports } = await listenOn(['127.0.0.1', '192.0.2.1'])
    expect((await send(ports[0] as Address, 'GET /health')).status).toBe(200)
  })
})
