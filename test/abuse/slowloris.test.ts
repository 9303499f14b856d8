import { afterAll, describe, expect, it } from 'vitest'
import { Backend, pause, signedHead, until } from '../helpers/http.ts'
import { refuseCrashes } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'
import { Listener, RawClient, closeClients, handshake } from '../helpers/websocket.ts'

const SOCKETS = 60

/**
 * Starts a server with shortened timeouts. They are public properties of Node's server, which reads them at each of its
 * checks, every two seconds.
 */
async function startImpatientServer() {
  const server = await startServer()
  const { server: node } = server.app.http
  const usual = { headers: node.headersTimeout, request: node.requestTimeout }
  node.headersTimeout = 500
  node.requestTimeout = 800
  return { server, usual }
}

describe.concurrent('clients that send in drops', { timeout: 90_000 }, () => {
  refuseCrashes()
  afterAll(closeClients)

  async function isCutWhileOthersAreServed(text: string, drop: string): Promise<void> {
    const { server } = await startImpatientServer()
    const backend = new Backend(server)
    const listener = await Listener.open(server, await backend.connect('reader', ['room']))
    const slow = await Promise.all(
      Array.from({ length: SOCKETS }, async () => {
        const client = await RawClient.connect(server)
        client.write(text)
        return client
      }),
    )
    const dripping = setInterval(() => slow.forEach((client) => client.write(drop)), 200)
    let said = 0
    await until(
      async () => {
        await backend.say('room', String(said))
        await listener.heard(String(said++), 2_000)
        await pause(100)
        return slow.every((client) => client.isOver)
      },
      'all of them to be cut',
      8_000,
    ).finally(() => clearInterval(dripping))
    expect(said).toBeGreaterThan(1)
    await server.close()
  }

  it('heads are cut off', () =>
    isCutWhileOthersAreServed('GET /info HTTP/1.1\r\nHost: x\r\nX-', 'a'))

  it('heads of handshakes are cut off', () =>
    isCutWhileOthersAreServed(handshake('/ws').slice(0, -2), 'X: y\r\n'))

  it('bodies are cut off', () =>
    isCutWhileOthersAreServed(signedHead('POST /connect', { 'Content-Length': 100_000 }), ' '))

  it('bodies in chunks are cut off', () =>
    isCutWhileOthersAreServed(
      signedHead('POST /connect', { 'Transfer-Encoding': 'chunked' }),
      '1\r\n \r\n',
    ))

  it('bodies that need no signature are cut off', () =>
    isCutWhileOthersAreServed(
      'POST /disconnect HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n',
      ' ',
    ))

  it('and connections that say nothing at all are cut off', () => isCutWhileOthersAreServed('', ''))

  it('are given 10 seconds for a head and 30 for a request', async () => {
    const { server, usual } = await startImpatientServer()
    expect(usual).toEqual({ headers: 10_000, request: 30_000 })
    await server.close()
  })
})
