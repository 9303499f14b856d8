import { connect } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ConnectRequest } from '../../src/protocol/requests.ts'
import { send, signature, until } from '../helpers/http.ts'
import { startServer } from '../helpers/server.ts'
import type { ChannelsInfo } from '../../src/protocol/responses.ts'
import type { TestServer } from '../helpers/server.ts'

const MANY = 100_000
/**
 * The goal is 50 ms for the server alone. Here it shares its core with a client that parses 60 MB of JSON, and with
 * other tests.
 */
const LONGEST_HOLD_MS = 250

/** Server and client share one event loop, so the client's work is kept out of the measurement. */
describe('a server with 100,000 channels and users', { timeout: 120_000 }, () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startServer({ gc_conns_after: 3600 })
    const { hub } = server.app
    for (let n = 0; n < MANY; n++) {
      const channels = [`channel ${n}`, 'everybody']
      await hub.connect(
        ConnectRequest.parse({
          username: `user ${n}`,
          channels,
          info: { include_users: false, include_history: false },
        }),
      )
    }
  }, 120_000)
  afterAll(() => server.close())

  /** Returns the bytes of an answer, unparsed while they arrive, and how long the event loop was blocked meanwhile. */
  async function fetchAll(method: string, path: string, body?: object) {
    const delay = monitorEventLoopDelay({ resolution: 1 })
    const parts: Buffer[] = []
    const socket = connect(server.port, server.host)
    socket.on('data', (part) => parts.push(part))
    let isOver = false
    socket.on('close', () => (isOver = true))
    const content = body ? JSON.stringify(body) : ''
    const head = Object.entries({
      host: 'test',
      connection: 'close',
      'content-length': content.length,
      ...signature(),
    })
    const lines = head.map(([name, value]) => `${name}: ${value}\r\n`).join('')
    delay.enable()
    const before = performance.now()
    socket.write(`${method} ${path} HTTP/1.1\r\n${lines}\r\n${content}`)
    await until(() => isOver, 'the whole answer', 60_000)
    const ms = performance.now() - before
    delay.disable()
    const answer = Buffer.concat(parts).toString()
    expect(answer).toMatch(/^HTTP\/1\.1 200 /)
    const json = answer.slice(answer.indexOf('\r\n\r\n') + 4)
    return { text: withoutChunks(json), ms, heldMs: delay.max / 1e6 }
  }

  /** The best of three tries counts: what else the machine does makes turns longer, and never shorter. */
  async function fetchBriefly(...request: Parameters<typeof fetchAll>) {
    let answer = await fetchAll(...request)
    for (let tries = 1; tries < 3 && answer.heldMs >= LONGEST_HOLD_MS; tries++)
      answer = await fetchAll(...request)
    return answer
  }

  it('describes them all without holding the event loop', async () => {
    const { text, heldMs } = await fetchBriefly('GET', '/info')
    const { channels, users } = JSON.parse(text) as ChannelsInfo
    expect(Object.keys(channels)).toHaveLength(MANY + 1)
    expect(users).toHaveLength(MANY)
    expect(channels['everybody']?.users).toHaveLength(MANY)
    expect(heldMs).toBeLessThan(LONGEST_HOLD_MS)
  })

  it('lists them for admin without holding the event loop', async () => {
    const { text, heldMs } = await fetchBriefly('GET', '/admin/admin.json')
    const overview = JSON.parse(text) as { channels: object; users: unknown[] }
    expect(Object.keys(overview.channels)).toHaveLength(MANY + 1)
    expect(overview.users).toHaveLength(MANY)
    expect(heldMs).toBeLessThan(LONGEST_HOLD_MS)
  })

  it('connects somebody to a channel that everybody is in', async () => {
    const body = { username: 'one more', channels: ['everybody'] }
    const { text, heldMs } = await fetchBriefly('POST', '/connect', body)
    const { channels_info: info } = JSON.parse(text) as { channels_info: ChannelsInfo }
    expect(info.channels['everybody']?.users).toHaveLength(MANY + 1)
    expect(heldMs).toBeLessThan(LONGEST_HOLD_MS)
  })

  it('answers what is short in no time, also while something long is under way', async () => {
    const long = fetchAll('GET', '/info')
    const times: number[] = []
    for (let n = 0; n < 20; n++) {
      const before = performance.now()
      const answer = await send(server, 'POST /info', {
        headers: signature(),
        json: { info: { channels: [`channel ${n}`] } },
      })
      times.push(performance.now() - before)
      expect(answer.status).toBe(200)
    }
    await long
    expect(Math.max(...times)).toBeLessThan(LONGEST_HOLD_MS)
  })

  it('lets go of an answer that nobody reads', async () => {
    const socket = connect(server.port, server.host)
    socket.pause()
    const [[name, value] = []] = Object.entries(signature())
    socket.write(`GET /info HTTP/1.1\r\nhost: test\r\n${name}: ${value}\r\n\r\n`)
    const before = process.memoryUsage().rss
    await until(() => server.app.http.server.listening, 'a turn')
    for (let n = 0; n < 50; n++) await send(server, 'GET /health')
    expect(process.memoryUsage().rss - before).toBeLessThan(50_000_000)
    socket.destroy()
  })
})

/** Returns the body of a chunked answer. */
function withoutChunks(body: string): string {
  if (body.startsWith('{')) return body
  const bytes = Buffer.from(body)
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf('\r\n', at)
    const length = parseInt(bytes.toString('latin1', at, end), 16)
    if (length === 0) break
    parts.push(bytes.subarray(end + 2, end + 2 + length))
    at = end + 2 + length + 2
  }
  return Buffer.concat(parts).toString()
}
