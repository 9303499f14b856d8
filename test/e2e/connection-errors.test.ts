import { afterAll, describe, expect, it } from 'vitest'
import { freePort } from '../helpers/ports.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { RawClient, closeClients } from '../helpers/websocket.ts'

afterAll(async () => {
  closeClients()
  await killProcesses()
})

describe('what is not HTTP', { timeout: 90_000 }, () => {
  it('is logged at level debug for both ports, with nothing of what came', async () => {
    const port = await freePort()
    const server = await ServerProcess.start({
      settings: { log_level: 'debug', philote_port: port, philote_secret: 'own' },
    })
    for (const address of [server, { host: server.host, port }]) {
      const client = await RawClient.connect(address)
      client.write('GET /a-secret-path HTTP/1.1\r\nHost: a\r\nno header at all\r\n\r\n')
      expect(await client.answered()).toBe(400)
    }
    await server.says(/("level":20.*a connection is closed: what came is not HTTP[^]*){2}/)
    expect(server.stderr).toContain('"code":"HPE_INVALID_HEADER_TOKEN"')
    expect(server.output).not.toContain('a-secret-path')
    expect(server.output).not.toContain('no header')
  })
})
