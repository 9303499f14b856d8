import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { ChannelstreamConnection } from '../../../frontend/client/index.ts'
import { Backend } from '../../helpers/http.ts'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type {
  ConnectionOptions,
  ServerEvent,
  TransportName,
} from '../../../frontend/client/index.ts'
import type { Address } from '../../helpers/http.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => boolean

/** The backend of a page: signs the page's requests and forwards them to the server. */
export class PageBackend {
  /** Called paths, in order. */
  readonly calls: string[] = []
  /** While set, `/connect` is refused with this status. */
  refusal = 0
  /** Each request waits for this before it is forwarded. */
  beforeForwarding: (path: string) => Promise<unknown> = () => Promise.resolve()
  readonly #http = createServer((request, response) => void this.#answer(request, response))

  private constructor(
    public server: Address,
    private readonly more: Handler,
  ) {}

  /** Starts on a free port, until the test ends. `more` handles other paths and returns whether it did. */
  static async start(server: Address, more: Handler = () => false): Promise<PageBackend> {
    const backend = new PageBackend(server, more)
    await new Promise<void>((resolve) => void backend.#http.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => backend.stop())
    return backend
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`
  }

  get connects(): number {
    return this.calls.filter((path) => path === '/connect').length
  }

  async stop(): Promise<void> {
    this.#http.closeAllConnections()
    await new Promise((resolve) => this.#http.close(resolve))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? ''
    if (this.more(request, response)) return
    this.calls.push(path)
    if (path === '/connect' && this.refusal)
      return void response.writeHead(this.refusal).end('{"why":"not you"}')
    try {
      const asked = JSON.parse(await text(request)) as Asked
      await this.beforeForwarding(path)
      const { status, text: answer } = await new Backend(this.server).send(
        `${request.method} ${path}`,
        { json: requestOf(path, asked) },
      )
      response.writeHead(status, { 'content-type': 'application/json' }).end(answer)
    } catch (error) {
      response.writeHead(502).end(String(error))
    }
  }
}

interface Asked {
  readonly username?: string
  readonly update_state?: object
}

/** Translates a page's request into a request to the server. */
function requestOf(path: string, asked: Asked): unknown {
  if (path === '/message') return [asked]
  if (path === '/user_state') return { user: asked.username, user_state: asked.update_state }
  return asked
}

/** The URLs of the backend and the server, for a page. */
export const addresses = (backend: PageBackend, server: Address): ConnectionOptions => ({
  connectUrl: `${backend.url}/connect`,
  subscribeUrl: `${backend.url}/subscribe`,
  unsubscribeUrl: `${backend.url}/unsubscribe`,
  userStateUrl: `${backend.url}/user_state`,
  messageUrl: `${backend.url}/message`,
  messageEditUrl: `${backend.url}/message`,
  messageDeleteUrl: `${backend.url}/message`,
  disconnectUrl: `${originOf(server)}/disconnect`,
  websocketUrl: `${originOf(server)}/ws`,
  longPollUrl: `${originOf(server)}/listen`,
})

const originOf = ({ host, port }: Address): string => `http://${host}:${port}`

/** Options with which a page uses this transport only. */
export function only(transport: TransportName, server: Address): ConnectionOptions {
  if (transport === 'websocket') return { longPollUrl: '' }
  if (transport === 'longpoll') return { noWebsocket: true }
  return { noWebsocket: true, longPollUrl: '', sseUrl: `${originOf(server)}/sse` }
}

/** Opens a connection in this process, with short delays, until the test ends. Records what it receives. */
export function openPage(backend: PageBackend, server: Address, options: ConnectionOptions = {}) {
  const connection = new ChannelstreamConnection({
    ...addresses(backend, server),
    username: 'ann',
    channels: ['lobby'],
    increaseBounceIv: 100,
    WebSocket,
    ...options,
  })
  const events: ServerEvent[] = []
  const statuses: string[] = []
  connection.on('event', (event) => events.push(event))
  connection.on('status', ({ status, transport }) => statuses.push(transport ?? status))
  onTestFinished(async () => {
    await connection.disconnect().catch(() => {}) // its server may be gone
  })
  return {
    connection,
    events,
    statuses,
    texts: (): unknown[] =>
      events.flatMap((event) => (event.type === 'message' ? [event.message?.['text']] : [])),
    gaps: (): number => events.filter(({ type }) => type === 'gap').length,
  }
}

export type Page = ReturnType<typeof openPage>
