/** The server's event streams as Chromium's own `EventSource` reads them, without any client of ours. */
import http from 'node:http'
import net from 'node:net'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { useBrowser } from '../helpers/browser.ts'
import { endAll } from '../helpers/ending.ts'
import { Backend, until, within } from '../helpers/http.ts'
import { freePort } from '../helpers/ports.ts'
import { ServerProcess } from '../helpers/process.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { startServer } from '../helpers/server.ts'
import { Servers } from '../helpers/servers.ts'
import { Listener } from '../helpers/websocket.ts'
import type { AddressInfo } from 'node:net'
import type { Address } from '../helpers/http.ts'

const PATIENCE_MS = 30_000
const FRAMES = { channel_frames: 10_000 }
/** Chromium's own console messages about network failures that a test causes. */
const BROKEN = /ERR_|Failed to load resource/

interface EventSourcePage {
  texts: string[]
  types: string[]
  hellos: number
  closes: number[]
  state: number
}

const PAGE = (url: string): string => `<!doctype html><meta charset="utf-8"><title>Page</title>
<script>
  const seen = {
    texts: [], types: [], hellos: 0, closes: [],
    get state() { return stream.readyState },
  }
  window.seen = seen
  const stream = new EventSource(${JSON.stringify(url)})
  stream.onmessage = ({ data }) => {
    for (const event of JSON.parse(data)) {
      seen.types.push(event.type)
      if (event.type === 'message') seen.texts.push(event.message.text)
    }
  }
  stream.addEventListener('hello', () => { seen.hellos++ })
  stream.addEventListener('close', ({ data }) => {
    const { code } = JSON.parse(data)
    seen.closes.push(code)
    if (code === 4509) stream.close()
  })
</script>`

/** A load balancer: passes connections on to the server of the moment. */
class Balancer {
  target: Address | undefined
  readonly #sockets = new Set<net.Socket>()
  readonly #server = net.createServer((from) => {
    const { target } = this
    if (!target) return void from.destroy()
    const to = net.connect(target.port, target.host)
    for (const socket of [from, to]) {
      this.#sockets.add(socket)
      socket.on('error', () => {}) // a close follows
      socket.on('close', () => {
        this.#sockets.delete(socket)
        from.destroy()
        to.destroy()
      })
    }
    from.pipe(to).pipe(from)
  })

  static async start(target: Address): Promise<Balancer> {
    const balancer = new Balancer()
    balancer.target = target
    await new Promise<void>((resolve) => void balancer.#server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      balancer.cut()
      balancer.#server.close()
    })
    return balancer
  }

  get host(): string {
    return '127.0.0.1'
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}

describe('EventSource', { timeout: 120_000 }, () => {
  const browser = useBrowser()
  let redis: RedisServer
  beforeAll(async () => {
    redis = await RedisServer.start()
  })
  afterAll(endAll)

  /** Opens a page of another origin. */
  async function openPage({ host, port }: Address, connId: string) {
    const url = `http://${host}:${port}/sse?conn_id=${connId}`
    const pages = http.createServer((request, response) => {
      const isPage = request.url === '/'
      response.writeHead(isPage ? 200 : 204, { 'content-type': 'text/html' })
      response.end(isPage ? PAGE(url) : '')
    })
    await new Promise<void>((resolve) => void pages.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      pages.closeAllConnections()
      pages.close()
    })
    const page = await browser.newPage({ expected: BROKEN })
    await page.goto(`http://127.0.0.1:${(pages.address() as AddressInfo).port}/`)
    const seen = (): Promise<EventSourcePage> =>
      page.evaluate(() => (window as unknown as { seen: EventSourcePage }).seen)
    const hears = (text: string): Promise<void> =>
      until(async () => (await seen()).texts.includes(text), `the message ${text}`, PATIENCE_MS)
    await until(async () => (await seen()).hellos > 0, 'the hello')
    return { page, seen, hears }
  }

  const numbers = (from: number, to: number): string[] =>
    Array.from({ length: to - from }, (_, index) => String(from + index))

  async function sayAll(backend: Backend, texts: readonly string[]): Promise<void> {
    for (const text of texts) await backend.say('room', text)
  }

  it('lives on over the ends of its streams, gets each event once, and stays in its channels', async () => {
    const server = await startServer({ ...FRAMES, gc_conns_after: 1 })
    onTestFinished(() => server.close())
    const backend = new Backend(server)
    const config = { channel_configs: { room: { notify_presence: true } } }
    const watcher = await Listener.open(server, await backend.connect('eve', ['room'], config))
    const { seen, hears } = await openPage(server, await backend.connect('ann', ['room']))
    let said = 0
    while ((await seen()).hellos < 4) await backend.say('room', String(said++))
    await backend.say('room', 'last')
    await hears('last')
    const { texts, types } = await seen()
    expect(texts).toEqual([...numbers(0, said), 'last'])
    expect(types).not.toContain('gap')
    expect(watcher.presenceOf('ann')).toEqual(['joined'])
    await watcher.close()
  })

  it('gets each event once over breaks, and over a move to another server', async () => {
    const servers = await Servers.start(redis, 2, FRAMES)
    onTestFinished(() => servers.close())
    const [first, second] = servers.all as readonly Address[] as [Address, Address]
    const backend = new Backend(second)
    const balancer = await Balancer.start(first)
    const { seen, hears } = await openPage(balancer, await backend.connect('ann', ['room']))
    await sayAll(backend, numbers(0, 20))
    await hears('19')
    balancer.cut()
    await sayAll(backend, numbers(20, 40))
    await hears('39')
    balancer.target = second
    balancer.cut()
    await sayAll(backend, numbers(40, 60))
    await hears('59')
    const { texts, types, hellos } = await seen()
    expect(texts).toEqual(numbers(0, 60))
    expect(types).not.toContain('gap')
    expect(hellos).toBe(3)
  })

  it('gets each event once over a restart of the server', async () => {
    const port = await freePort()
    const settings = { redis_url: redis.url, redis_prefix: freshPrefix(), ...FRAMES }
    const start = () => ServerProcess.start({ settings, args: ['--port', String(port)] })
    const [server, other] = [await start(), await ServerProcess.start({ settings })]
    const backend = new Backend(other)
    const { seen, hears } = await openPage(server, await backend.connect('ann', ['room']))
    await sayAll(backend, numbers(0, 20))
    await hears('19')
    server.signal('SIGTERM')
    await within(server.exited, 'the server to end')
    await sayAll(backend, numbers(20, 40))
    await start()
    await sayAll(backend, numbers(40, 60))
    await hears('59')
    const { texts, types, closes, state } = await seen()
    expect(texts).toEqual(numbers(0, 60))
    expect(types).not.toContain('gap')
    expect(closes).toEqual([1012])
    expect(state).toBe(1)
  })

  it('gives up when its connection has ended', async () => {
    const server = await startServer()
    onTestFinished(() => server.close())
    const backend = new Backend(server)
    const connId = await backend.connect('ann', ['room'])
    const { seen } = await openPage(server, connId)
    await backend.call(`GET /disconnect?conn_id=${connId}`)
    await until(async () => (await seen()).state === 2, 'the page to give up', PATIENCE_MS)
    expect((await seen()).closes).toEqual([1000])
  })

  it('can be told that another page has taken over', async () => {
    const server = await startServer({ gc_conns_after: 1 })
    onTestFinished(() => server.close())
    const backend = new Backend(server)
    const connId = await backend.connect('ann', ['room'])
    // The older stream may reach its usual end first. Then its page comes back, and takes over in its turn.
    const [first, second] = [await openPage(server, connId), await openPage(server, connId)]
    const isOver = async ({ seen }: typeof first) => (await seen()).state === 2
    const oneIsOver = async () => (await isOver(first)) || (await isOver(second))
    await until(oneIsOver, 'a page to end', PATIENCE_MS)
    const [ended, other] = (await isOver(first)) ? [first, second] : [second, first]
    expect((await ended.seen()).closes).toEqual([4509])
    const { hellos } = await other.seen()
    const goesOn = async () => (await other.seen()).hellos > hellos + 1
    await until(goesOn, 'the other to go on', PATIENCE_MS)
    await backend.say('room', 'to the other')
    await other.hears('to the other')
    expect((await ended.seen()).texts).toEqual([])
  })
})
