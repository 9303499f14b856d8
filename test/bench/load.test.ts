import { createServer } from 'node:http'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { WebSocketServer } from 'ws'
import { createSigner } from '../../src/http/signature.ts'
import { INSTALL_TIMEOUT_MS } from '../helpers/debian-packages.ts'
import { ensureCompiler } from './compiler.ts'
import type { IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

type Report = Readonly<Record<string, number>>
type Load = (options: object) => Promise<Report>
interface Requests {
  readonly STAMP: string
  readonly NUMBER: string
  readonly SIGNATURE: string
  readonly post: (path: string, body: string, headers?: Record<string, string>) => string
}

const bench = (path: string): Promise<unknown> =>
  import(new URL(`../../bench/${path}`, import.meta.url).href)

const PUBLISHES = 50
const SUBSCRIBERS = 3

let load: Load
let requests: Requests

beforeAll(async () => {
  await ensureCompiler()
  const { buildPrograms } = (await bench('lib/build.mjs')) as {
    buildPrograms: () => Promise<{ load: string }>
  }
  const { loadGenerator } = (await bench('lib/load.mjs')) as {
    loadGenerator: (program: string, core: number) => Load
  }
  load = loadGenerator((await buildPrograms()).load, 0)
  requests = (await bench('lib/requests.mjs')) as Requests
}, INSTALL_TIMEOUT_MS)

const cleanup: (() => void)[] = []
afterEach(() => cleanup.splice(0).forEach((clean) => clean()))

/** Returns the messages that the server sends for the n-th message. */
type Delivery = (message: string, n: number) => readonly string[]

/** Starts a server that delivers as `deliver` says. Returns its port and the requests it got. */
async function startServer(deliver: Delivery) {
  const seen: { headers: IncomingHttpHeaders; body: string }[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (part: string) => (body += part))
    request.on('end', () => {
      const n = seen.push({ headers: request.headers, body })
      for (const socket of sockets.clients) {
        for (const message of deliver(body, n)) socket.send(message)
      }
      response.end('ok')
    })
  })
  const sockets = new WebSocketServer({ server })
  let accepted = 0
  sockets.on('connection', () => accepted++)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanup.push(() => {
    for (const socket of sockets.clients) socket.terminate()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, seen, accepted: () => accepted }
}

const play = (port: number, options: object = {}): Promise<Report> =>
  load({
    port,
    subscribers: SUBSCRIBERS,
    publishers: 1,
    count: PUBLISHES,
    paths: ['/'],
    request: requests.post('/', requests.STAMP),
    ...options,
  })

describe('the check of the load generator', () => {
  it('has nothing to say when each message arrives once and in order', async () => {
    const { port } = await startServer((message) => [message])
    expect(await play(port)).toMatchObject({
      ...{ expected: PUBLISHES * SUBSCRIBERS, delivered: PUBLISHES * SUBSCRIBERS },
      ...{ lost: 0, doubled: 0, reordered: 0, strayed: 0, closed: 0, errors: 0 },
    })
  })

  it('finds several messages in one frame', async () => {
    const held: string[] = []
    const { port } = await startServer((message, n) => {
      if (held.length < n) held.push(message)
      return n === PUBLISHES ? [held.join(',')] : []
    })
    expect(await play(port)).toMatchObject({ lost: 0, doubled: 0, reordered: 0 })
  })

  it('counts what is lost, in the middle and at the end', async () => {
    const { port } = await startServer((message, n) =>
      n === 7 || n === PUBLISHES ? [] : [message],
    )
    expect(await play(port)).toMatchObject({ lost: 2 * SUBSCRIBERS, doubled: 0, reordered: 0 })
  })

  it('counts what is doubled', async () => {
    const { port } = await startServer((message, n) => (n === 9 ? [message, message] : [message]))
    expect(await play(port)).toMatchObject({ lost: 0, doubled: SUBSCRIBERS, reordered: 0 })
  })

  it('counts what comes late', async () => {
    let late = ''
    const { port } = await startServer((message, n) => {
      if (n === 20) late = message
      return n === 20 ? [] : n === 21 ? [message, late] : [message]
    })
    expect(await play(port)).toMatchObject({ lost: 0, doubled: 0, reordered: SUBSCRIBERS })
  })

  it('counts what belongs to another channel', async () => {
    const { port } = await startServer((message) => [message])
    const report = await play(port, { channels: SUBSCRIBERS })
    expect(report).toMatchObject({ delivered: PUBLISHES, expected: PUBLISHES, lost: 0 })
    expect(report.strayed).toBe(PUBLISHES * (SUBSCRIBERS - 1))
  })
})

describe('several servers', () => {
  it('are taken in turns by publishers and by subscribers', async () => {
    const [one, two] = await Promise.all([startServer(() => []), startServer(() => [])])
    const port = `${one.port},${two.port}`
    const report = await play(0, { port, publishers: 2, subscribers: 2, count: 10 })
    expect(report.lost).toBe(20)
    expect(one.seen.length + two.seen.length).toBe(10)
    expect(Math.min(one.seen.length, two.seen.length)).toBeGreaterThan(0)
    expect([one.accepted(), two.accepted()]).toEqual([1, 1])
  })

  it('may be others for subscribers than for publishers', async () => {
    const publishedAt = await startServer(() => [])
    const heardAt = await startServer(() => [])
    const report = await play(publishedAt.port, { listenport: heardAt.port, count: 3 })
    expect(report.lost).toBe(3 * SUBSCRIBERS)
    expect([publishedAt.accepted(), heardAt.accepted()]).toEqual([0, SUBSCRIBERS])
    expect([publishedAt.seen.length, heardAt.seen.length]).toEqual([3, 0])
  })
})

describe('the requests of the load generator', () => {
  it('are signed so that this server accepts them, and numbered', async () => {
    const { port, seen } = await startServer(() => [])
    const { NUMBER, SIGNATURE, post } = requests
    const request = post('/', NUMBER, { 'x-channelstream-secret': SIGNATURE })
    await play(port, { subscribers: 0, paths: undefined, count: 3, secret: 'a secret', request })
    const verified = seen.map(({ headers }) =>
      createSigner('a secret').verify(String(headers['x-channelstream-secret']), Date.now() / 1000),
    )
    expect(verified.map((found) => found?.value)).toEqual(['bench', 'bench', 'bench'])
    expect(seen.map(({ body }) => Number(body))).toEqual([0, 1, 2])
  })
})
