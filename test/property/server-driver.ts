import http from 'node:http'
import { WebSocket } from 'ws'
import { createSigner } from '../../src/http/signature.ts'
import { ManualClock } from '../helpers/clock.ts'
import { startServer } from '../helpers/server.ts'
import { noticeEndings } from './hub-driver.ts'
import type { Hub } from '../../src/core/hub.ts'
import type { Event } from '../../src/protocol/events.ts'
import type { TestServer } from '../helpers/server.ts'
import type { Client, Driver, Notice, Transport } from './driver.ts'

const SECRET = 'of the property tests'
const POLL_SECONDS = 0.05
const GRACE_SECONDS = 0.5

/** A manual clock with real event-loop turns, which sockets need. */
export class SocketClock extends ManualClock {
  override soon(run: () => void): void {
    setImmediate(run)
  }

  override async endTurn(): Promise<void> {
    await nextTurn()
    await nextTurn()
  }
}

/** A WebSocket, an event stream, or a poll that has been answered. */
class RemoteClient implements Client {
  readonly events: Event[] = []
  /** Only of a WebSocket. */
  socket: WebSocket | undefined
  /** Only of an event stream. */
  request: http.ClientRequest | undefined
  isGreeted = false
  #isStreamOpen = true

  constructor(
    readonly connId: string,
    readonly transport: Transport,
  ) {}

  get kind(): Client['kind'] {
    return this.transport === 'poll' ? 'poll' : 'stream'
  }

  get isClosed(): boolean {
    if (this.transport === 'sse') return !this.#isStreamOpen
    return this.socket?.readyState !== WebSocket.OPEN
  }

  streamClosed(): void {
    this.#isStreamOpen = false
  }

  cut(): void {
    this.socket?.terminate()
    this.request?.destroy()
  }
}

/** Servers on one store with one clock. */
export interface ServerDriverDeps {
  readonly clock: SocketClock
  readonly servers: readonly TestServer[]
  readonly options: Driver['options']
}

async function inMemory(): Promise<ServerDriverDeps> {
  const clock = new SocketClock()
  const servers = [await startServer(settingsOf(OPTIONS), clock)]
  return { clock, servers, options: OPTIONS }
}

/**
 * Whole servers, used over HTTP and WebSocket. Requests and sockets go to the servers in turn. Polls are answered at
 * once, and there are no slow consumers.
 */
export class ServerDriver implements Driver {
  /** Taken from the first event. */
  epoch = ''
  #notices: Notice[] = []
  #asked = 0
  readonly #signature: string
  /** The newest stream of each connection. */
  readonly #newest = new Map<string, Client>()

  private constructor(private readonly deps: ServerDriverDeps) {
    const { servers, clock } = deps
    for (const { app } of servers) {
      noticeEndings(app.hub, (connId) =>
        this.#notices.push({ type: 'ended', connId, at: this.now }),
      )
      noticeStreamEnds(app.hub, (connId) => this.#streamEnded(connId))
    }
    this.#signature = createSigner(SECRET).sign('/', clock.wallTime() / 1000)
  }

  /** By default, one server with a memory store. */
  static async start(deps?: ServerDriverDeps): Promise<ServerDriver> {
    return new ServerDriver(deps ?? (await inMemory()))
  }

  /** Any server answers for all of them, except for the number of open connections. */
  get hub(): Driver['hub'] {
    const { hub } = this.#next().app
    const { openConnections } = this
    return {
      openConnections,
      adminOverview: () => hub.adminOverview(),
      hasUser: (user) => hub.hasUser(user),
      hasConnection: (connId) => hub.hasConnection(connId),
    }
  }

  get openConnections(): number {
    return this.deps.servers.reduce((sum, { app }) => sum + app.hub.openConnections, 0)
  }

  get options(): Driver['options'] {
    return this.deps.options
  }

  get now(): number {
    return this.deps.clock.now()
  }

  notices(): Notice[] {
    return this.#notices.splice(0)
  }

  connect: Driver['connect'] = (request) => this.#ask('POST', '/connect', request)
  subscribe: Driver['subscribe'] = (request) => this.#ask('POST', '/subscribe', request)
  unsubscribe: Driver['unsubscribe'] = (request) => this.#ask('POST', '/unsubscribe', request)
  configure: Driver['configure'] = (request) => this.#ask('POST', '/channel_config', request)
  setState: Driver['setState'] = (request) => this.#ask('POST', '/user_state', request)
  post: Driver['post'] = (request, isCounted) =>
    this.#ask('POST', isCounted ? '/message?recipients=1' : '/message', request)
  edit: Driver['edit'] = (request) => this.#ask('PATCH', '/message', request)
  remove: Driver['remove'] = (request) => this.#ask('DELETE', '/message', request)
  info: Driver['info'] = () => this.#accepted('GET', '/info')
  disconnect: Driver['disconnect'] = (connId) =>
    this.#accepted('POST', '/disconnect', { conn_id: connId })

  async open(connId: string, transport: Transport, cursor: string | undefined) {
    const query = new URLSearchParams({ conn_id: connId, ...(cursor && { cursor }) })
    const client = new RemoteClient(connId, transport)
    const isOpen = await this.#openWith(client, query)
    return isOpen ? { client, isAnswered: transport === 'poll' } : undefined
  }

  async leave(client: Client): Promise<void> {
    await this.#close(client, ({ socket }) => socket?.close())
  }

  async breakOff(client: Client): Promise<void> {
    await this.#close(client, (remote) => remote.cut())
  }

  async setWritable(): Promise<void> {}
  async answer(): Promise<void> {}
  fallSilent(): void {}

  async advance(ms: number): Promise<void> {
    await this.deps.clock.advance(ms)
  }

  async settle(isDone: () => boolean): Promise<void> {
    await until(isDone)
    await this.deps.clock.endTurn()
  }

  async stop(): Promise<void> {
    const closed = this.deps.servers.map((server) => server.close())
    await this.deps.clock.advance(GRACE_SECONDS * 1000)
    await Promise.all(closed)
  }

  #next(): TestServer {
    const { servers } = this.deps
    return servers[this.#asked++ % servers.length] as TestServer
  }

  async #ask<Answer>(method: string, path: string, body?: unknown): Promise<Answer | undefined> {
    const reply = await fetch(this.#next().url + path, {
      method,
      headers: { 'content-type': 'application/json', 'x-channelstream-secret': this.#signature },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const answer: unknown = await reply.json()
    if (reply.status === 422) return undefined
    if (reply.status !== 200) throw new Error(`${reply.status}: ${JSON.stringify(answer)}`)
    return answer as Answer
  }

  async #accepted<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await this.#ask<Answer>(method, path, body)
    if (answer === undefined) throw new Error(`${method} ${path} was refused`)
    return answer
  }

  #openWith(client: RemoteClient, query: URLSearchParams): Promise<boolean> {
    if (client.transport === 'websocket') return this.#dial(client, query)
    return client.transport === 'sse' ? this.#stream(client, query) : this.#poll(client, query)
  }

  /** Resolves with false if the server does not know the connection. */
  async #stream(client: RemoteClient, query: URLSearchParams): Promise<boolean> {
    let [text, status] = ['', 0]
    const isKnown = await this.hub.hasConnection(client.connId as never)
    if (isKnown) this.#newest.set(client.connId, client)
    const closed = (): void => client.streamClosed()
    const request = http.get(`${this.#next().url}/sse?${query.toString()}`, { agent: false })
    client.request = request
    request.on('error', closed).on('response', (response) => {
      status = response.statusCode ?? 0
      response.on('error', () => {}).on('close', closed)
      response.setEncoding('utf8').on('data', (part: string) => {
        const blocks = (text + part).split('\n\n')
        text = blocks.pop() ?? ''
        for (const block of blocks) {
          const [, list] = /^id: .*\ndata: (\[.*)$/.exec(block) ?? []
          if (list !== undefined) this.#receive(client, list)
          else if (block.startsWith('event: hello')) client.isGreeted = true
        }
      })
    })
    await until(() => status === 401 || client.isGreeted || client.isClosed)
    return isKnown
  }

  /** A stream ended, and the connection waits. Its client may not know yet. */
  #streamEnded(connId: string): void {
    const client = this.#newest.get(connId)
    if (client?.transport !== 'sse') return
    this.#newest.delete(connId)
    this.#notices.push({ type: 'over', client, at: this.now })
  }

  /** Resolves with false if the server does not know the connection. */
  async #dial(client: RemoteClient, query: URLSearchParams): Promise<boolean> {
    const url = `${this.#next().url.replace('http', 'ws')}/ws?${query.toString()}`
    const isKnown = await this.hub.hasConnection(client.connId as never)
    const socket = new WebSocket(url, { perMessageDeflate: false })
    client.socket = socket
    if (isKnown) this.#newest.set(client.connId, client)
    socket.on('message', (frame: Buffer) => this.#receive(client, frame.toString()))
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    if (!isKnown) await until(() => socket.readyState === WebSocket.CLOSED)
    return isKnown
  }

  async #poll(client: RemoteClient, query: URLSearchParams): Promise<boolean> {
    const { clock } = this.deps
    const timers = clock.pending
    let isRefused = false
    const asked = fetch(`${this.#next().url}/listen?${query.toString()}`).then((reply) => {
      isRefused = reply.status === 401
      return reply.text()
    })
    await until(() => isRefused || clock.pending > timers)
    if (!isRefused) await clock.advance(POLL_SECONDS * 1000)
    const answer = await asked
    if (isRefused) return false
    this.#receive(client, answer)
    // When the answer has left the server, the connection is detached until the next poll.
    const isStreaming = this.#newest.has(client.connId)
    await until(() => isStreaming || this.openConnections < this.#newest.size + 1)
    return true
  }

  /** Resolves when the server has noticed. */
  async #close(client: Client, close: (client: RemoteClient) => void): Promise<void> {
    const remote = client as RemoteClient
    if (client.kind === 'poll') return
    const isCurrent = this.#newest.get(client.connId) === client
    const clients = this.openConnections
    const hangsOn = !client.isClosed && isCurrent
    if (isCurrent) this.#newest.delete(client.connId)
    close(remote)
    const { socket } = remote
    await until(() => (socket ? socket.readyState === WebSocket.CLOSED : client.isClosed))
    if (hangsOn) await until(() => this.openConnections < clients)
  }

  #receive(client: RemoteClient, frame: string): void {
    client.events.push(...(JSON.parse(frame) as Event[]))
    this.epoch ||= client.events[0]?.id.split('-')[0] ?? ''
  }
}

export const OPTIONS: Driver['options'] = {
  gcConnsMs: 1_000_000,
  resumeWindowMs: 15_000,
  gcUsersMs: 30_000,
  gcChannelsMs: 30_000,
  channelFrames: 5,
  userFrames: 5,
  maxOutboxBytes: 1_000_000,
}

export const settingsOf = (options: Driver['options']) => ({
  secret: SECRET,
  shutdown_grace: GRACE_SECONDS,
  validate_requests: false,
  gc_conns_after: options.gcConnsMs / 1000,
  resume_window: options.resumeWindowMs / 1000,
  gc_users_after: options.gcUsersMs / 1000,
  gc_channels_after: options.gcChannelsMs / 1000,
  channel_frames: options.channelFrames,
  user_frames: options.userFrames,
  heartbeat_interval: 100_000,
  wake_connections_after: POLL_SECONDS,
  poll_gather: POLL_SECONDS,
})

/** Reports the streams of connections that now wait for the next one, as after a poll. */
function noticeStreamEnds({ sessions }: Hub, onEnd: (connId: string) => void): void {
  const lost = sessions.lost.bind(sessions)
  sessions.lost = (connection, sink, ending) => {
    if (ending === 'answered' && sink.kind === 'stream' && connection.sink === sink)
      onEnd(connection.id)
    lost(connection, sink, ending)
  }
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))

async function until(check: () => boolean, withinMs = 20_000): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!check() && performance.now() < deadline) await nextTurn()
}
