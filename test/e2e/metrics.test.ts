import { readFile } from 'node:fs/promises'
import { afterAll, describe, expect, it } from 'vitest'
import { METRICS } from '../../src/telemetry/metric-list.ts'
import { EventStreamListener } from '../helpers/event-stream.ts'
import { Backend, send, until } from '../helpers/http.ts'
import { startServer } from '../helpers/server.ts'
import { Listener, RawClient, closeClients } from '../helpers/websocket.ts'
import type { Address } from '../helpers/http.ts'
import type { TestServer } from '../helpers/server.ts'

/** Returns the metrics of one server by name, without their common prefix. */
async function figures(server: Address): Promise<Record<string, number>> {
  const { status, text } = await send(server, 'GET /metrics')
  expect(status).toBe(200)
  const lines = [...text.matchAll(/^channelstream_(\w+) (\S+)$/gm)]
  const found: Record<string, number> = {}
  for (const [, name = '', value] of lines) found[name] = Number(value)
  return found
}

/** Returns the metrics of one server by name and labels, without their common prefix. */
async function samples(server: Address): Promise<Map<string, number>> {
  const { text } = await send(server, 'GET /metrics')
  const lines = [...text.matchAll(/^channelstream_(\w+(?:{.*})?) (\S+)$/gm)]
  return new Map(lines.map(([, name = '', value]) => [name, Number(value)]))
}

describe('/metrics', () => {
  const servers: TestServer[] = []
  const start = async (...given: Parameters<typeof startServer>): Promise<TestServer> => {
    const server = await startServer(...given)
    servers.push(server)
    return server
  }
  afterAll(async () => {
    closeClients()
    for (const server of servers) await server.close()
  })

  it('counts what is delivered, once for each client, in as many writes as it took', async () => {
    const server = await start()
    const backend = new Backend(server)
    const listeners = [
      await Listener.open(server, await backend.connect('ann', ['room'])),
      await Listener.open(server, await backend.connect('bob', ['room'])),
    ]
    const before = await figures(server)
    for (const text of ['one', 'two']) await backend.say('room', text)
    for (const listener of listeners) await listener.heard('two')
    const after = await figures(server)
    const gained = (name: string): number => (after[name] ?? NaN) - (before[name] ?? NaN)
    expect(gained('delivered_events_total')).toBe(4)
    expect(gained('delivered_batches_total')).toBe(4)
    expect(gained('messages_total')).toBe(2)
    expect(gained('delivered_bytes_total')).toBeGreaterThan(4 * 100)
    expect(after).toMatchObject({
      open_connections: 2,
      connections: 2,
      users: 2,
      connected_users: 2,
      channels: 1,
      guests: 0,
      held_bytes: 0,
      slow_readers_total: 0,
    })
  })

  it('shows what waits for a client that does not read, and that it was given up', async () => {
    const server = await start({ max_outbox_bytes: 1_000_000 })
    const backend = new Backend(server)
    const slow = await RawClient.openWebSocket(server, await backend.connect('slow', ['room']))
    slow.stopReading()
    const filling = 'x'.repeat(300_000)
    let most = 0
    for (let n = 0; n < 100 && server.app.hub.openConnections > 0; n++) {
      await backend.say('room', String(n), { filling })
      most = Math.max(most, (await figures(server))['held_bytes'] ?? 0)
    }
    expect(most).toBeGreaterThan(300_000)
    expect(await figures(server)).toMatchObject({ slow_readers_total: 1, held_bytes: 0 })
    slow.readOn()
    await until(() => slow.isOver, 'the slow client to be cut', 6_000)
  })

  it('counts requests by route and status, and by what they were refused for', async () => {
    const server = await start()
    const backend = new Backend(server)
    const before = await samples(server)
    await backend.connect('ann', ['room'])
    for (const text of ['one', 'two']) await backend.say('room', text)
    expect((await backend.send('POST /message', { json: 'no list' })).status).toBe(422)
    expect((await send(server, 'POST /message', { json: [] })).status).toBe(403)
    expect((await send(server, 'GET /no/such/route?token=hidden')).status).toBe(404)
    const after = await samples(server)
    const gained = (name: string): number => (after.get(name) ?? 0) - (before.get(name) ?? 0)
    const posts = 'method="POST",route="/message"'
    expect(gained('http_requests_total{method="POST",route="/connect",status="200"}')).toBe(1)
    expect(gained(`http_requests_total{${posts},status="200"}`)).toBe(2)
    expect(gained(`http_requests_total{${posts},status="422"}`)).toBe(1)
    expect(gained(`http_requests_total{${posts},status="403"}`)).toBe(1)
    expect(gained('http_requests_total{method="any",route="none",status="404"}')).toBe(1)
    expect(gained('refused_requests_total{error="INVALID"}')).toBe(1)
    expect(gained('refused_requests_total{error="FORBIDDEN"}')).toBe(1)
    expect(gained('refused_requests_total{error="NOT_FOUND"}')).toBe(1)
    expect(gained(`http_request_duration_seconds_count{${posts}}`)).toBe(4)
    expect(gained(`http_request_duration_seconds_bucket{le="30",${posts}}`)).toBe(4)
    expect(gained(`http_request_duration_seconds_bucket{le="+Inf",${posts}}`)).toBe(4)
    const seconds = gained(`http_request_duration_seconds_sum{${posts}}`)
    expect(seconds).toBeGreaterThan(0)
    expect(seconds).toBeLessThan(10)
    expect([...after.keys()].filter((name) => name.includes('hidden'))).toEqual([])
  })

  it('counts what clients open, catch up with and miss, and how their streams end', async () => {
    const server = await start({ channel_frames: 2 })
    const backend = new Backend(server)
    const ann = await backend.connect('ann', ['room'])
    const first = await Listener.open(server, ann)
    await backend.say('room', 'seen')
    await first.heard('seen')
    const cursor = first.events.at(-1)?.id ?? ''
    await first.breakOff()
    for (const text of ['one', 'two', 'three']) await backend.say('room', text)
    const second = await Listener.open(server, ann, { cursor })
    await second.heard('three')
    await backend.call('POST /disconnect', { conn_id: ann })
    await second.closed
    const bob = await backend.connect('bob', ['room'])
    const stream = await EventStreamListener.open(server, bob)
    await backend.call('POST /disconnect', { conn_id: bob })
    await stream.closed
    const eve = await backend.connect('eve', ['room'], {})
    await backend.say('room', 'for eve')
    await send(server, `GET /listen?conn_id=${eve}`)
    await until(
      async () => ((await samples(server)).get('opened_total{kind="poll"}') ?? 0) === 1,
      'the poll',
    )
    const found = await samples(server)
    expect(found.get('opened_total{kind="stream"}')).toBe(3)
    expect(found.get('resumed_total')).toBe(1)
    expect(found.get('gaps_total{kind="stream"}')).toBe(1)
    // Two that were kept for her, and one that waited for eve.
    expect(found.get('caught_up_events_total')).toBe(3)
    expect(found.get('closed_total{transport="websocket",code="1006"}')).toBe(1)
    expect(found.get('closed_total{transport="websocket",code="1000"}')).toBe(1)
    expect(found.get('closed_total{transport="event_stream",code="1000"}')).toBe(1)
    expect(found.get('delivery_seconds_count')).toBeGreaterThan(2)
    expect(found.get('store_answer_seconds')).toBeGreaterThanOrEqual(0)
  })

  it('has each series once, whatever is requested', async () => {
    const server = await start()
    for (const path of ['/%zz', '/no/such/route', '/admin/no/such/route', '/health'])
      for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST'])
        await send(server, `${method} ${path}`)
    const { text } = await send(server, 'GET /metrics')
    const series = [...text.matchAll(/^(\w+(?:{.*})?) \S+$/gm)].map(([, name]) => name)
    expect(series.length).toBeGreaterThan(100)
    expect(series.filter((name, place) => series.indexOf(name) !== place)).toEqual([])
  })

  it('counts close codes that clients make up as one', async () => {
    const server = await start()
    const backend = new Backend(server)
    for (const code of [3000, 3001, 4999]) {
      const listener = await Listener.open(server, await backend.connect('ann', ['room']))
      await listener.close(code)
    }
    const name = 'closed_total{transport="websocket",code="other"}'
    await until(async () => (await samples(server)).get(name) === 3, 'the closes')
  })

  it('is for the addresses of the setting, and for signed requests', async () => {
    const server = await start({ trusted_proxies: '127.0.0.1', allow_metrics_from: '10.0.0.0/8' })
    const from = (address: string) =>
      send(server, 'GET /metrics', { headers: { 'x-forwarded-for': address } })
    expect((await from('10.1.2.3')).status).toBe(200)
    expect((await from('192.0.2.1')).status).toBe(403)
    expect((await send(server, 'GET /metrics')).status).toBe(403)
    expect((await new Backend(server).send('GET /metrics')).status).toBe(200)
  })

  it('is not for those whose request a proxy on this machine passes on, unless it is trusted', async () => {
    const plain = await start()
    const everyone = await start({ allow_metrics_from: '0.0.0.0' })
    const trusting = await start({ trusted_proxies: '127.0.0.1' })
    const ask = async (server: Address, headers: object) =>
      (await send(server, 'GET /metrics', { headers: { ...headers } })).status
    expect(await ask(plain, {})).toBe(200)
    for (const headers of [
      { 'x-forwarded-for': '127.0.0.1' },
      { 'X-Real-IP': '203.0.113.9' },
      { forwarded: 'for=127.0.0.1' },
      { via: '1.1 proxy' },
      { 'x-forwarded-proto': 'https' },
      { 'x-script-name': '/push' },
    ]) {
      expect(await ask(plain, headers), JSON.stringify(headers)).toBe(403)
      expect(await ask(everyone, headers), JSON.stringify(headers)).toBe(200)
      const { status } = await new Backend(plain).send('GET /metrics', { headers })
      expect(status, JSON.stringify(headers)).toBe(200)
    }
    expect(await ask(trusting, { 'x-forwarded-for': '127.0.0.1', via: '1.1 proxy' })).toBe(200)
    expect(await ask(trusting, { 'x-forwarded-for': '203.0.113.9' })).toBe(403)
    expect(await ask(trusting, { via: '1.1 proxy' })).toBe(403)
  })

  it('has the figures of the process, as text of a version that Prometheus reads', async () => {
    const { headers, text } = await send(await start(), 'GET /metrics')
    expect(headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/)
    expect(text).toMatch(/^process_resident_memory_bytes \d+/m)
    expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds /m)
  })

  it('is described in full on the page for operators', async () => {
    const page = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8')
    const described = [...page.matchAll(/^\| `channelstream_(\w+)` *\| (\w+)/gm)]
    expect(described.map(([, name, type]) => ({ name, type }))).toEqual(
      METRICS.map(({ name, type }) => ({ name, type })),
    )
  })
})
