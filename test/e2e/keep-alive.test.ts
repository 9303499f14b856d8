import { Agent } from 'node:http'
import { afterAll, describe, expect, it } from 'vitest'
import { send, until } from '../helpers/http.ts'
import { startServer } from '../helpers/server.ts'
import { RawClient, closeClients } from '../helpers/websocket.ts'

afterAll(closeClients)

const REQUEST = 'GET /health/live HTTP/1.1\r\nHost: test\r\n\r\n'

describe('an idle connection', () => {
  it('stays open for 72 seconds by default, and the answer says so', async () => {
    const server = await startServer()
    const agent = new Agent({ keepAlive: true })
    const { headers } = await send(server, 'GET /health/live', { agent })
    expect(headers['keep-alive']).toBe('timeout=72')
    expect(server.app.http.server.keepAliveTimeout).toBe(72_000)
    agent.destroy()
    await server.close()
  })

  it('is closed after keep_alive_timeout, and not before the time that the answers say', async () => {
    const server = await startServer({ keep_alive_timeout: 1 })
    const client = await RawClient.connect(server)
    client.write(REQUEST)
    await client.answered()
    client.write(REQUEST)
    const last = performance.now()
    await until(() => client.isOver, 'the close')
    const answers = client.text.match(/HTTP\/1.1 200 OK/g)
    expect(answers).toHaveLength(2)
    expect(client.text.match(/^Keep-Alive: timeout=1\r$/gm)).toHaveLength(2)
    expect(performance.now() - last).toBeGreaterThanOrEqual(1000)
    await server.close()
  })

  it('is not offered to a client that closes it', async () => {
    const server = await startServer({ keep_alive_timeout: 1 })
    const { headers } = await send(server, 'GET /health/live', { headers: { connection: 'close' } })
    expect([headers.connection, headers['keep-alive']]).toEqual(['close', undefined])
    await server.close()
  })
})
