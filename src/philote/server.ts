import { STATUS_CODES, createServer } from 'node:http'
import { CLOSE } from '../protocol/close-codes.ts'
import { Handshakes, refuseUpgrade } from '../transports/frame-socket.ts'
import { JWT_REFUSALS } from './refusals.ts'
import { PhiloteSocket } from './socket.ts'
import { PacedRequest, PacedResponse, isWaiting, limitPipelines } from '../lib/pipelines.ts'
import { destroyOnError } from '../lib/destroy-on-error.ts'
import { inBackground } from '../lib/in-background.ts'
import { cutIdle, windUp } from '../lib/unread.ts'
import { queryOf } from './handshake.ts'
import { restOf } from '../lib/unread-rest.ts'
import type { Awaitable } from '../store/store.ts'
import type { Clock } from '../clock.ts'
import type { Dialect } from './socket.ts'
import type { ChannelName, UserName } from '../protocol/ids.ts'
import type { Duplex } from 'node:stream'
import type { Guest, Guests } from '../core/guests.ts'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Permissions } from './token.ts'
import type { Refusal } from './refusals.ts'
import type { ServerState } from './jwt.ts'
import type { UpgradeRequest } from '../transports/frame-socket.ts'

/** What becomes of a request. */
export type Verdict =
  | { readonly answer: Refusal }
  /** A handshake. What the client may do is known. */
  | { readonly permissions: Permissions }
  /** A handshake. What the client may do is found out behind it; a text is the last that a refused client hears. */
  | { readonly findPermissions: () => Promise<Permissions | string> }

/** One of Philote's two generations, which share little more than the idea. */
export interface Generation {
  readonly dialect: Dialect
  /** Sockets open at a time. */
  readonly maxConnections: number
  judge(request: IncomingMessage, server: ServerState): Awaitable<Verdict>
  pickProtocol(offered: ReadonlySet<string>): string | false
  /** Resolves once what is said elsewhere in these channels, which somebody listens to, comes here. */
  ready?(channels: readonly ChannelName[]): Promise<void>
}

export interface PhiloteOptions {
  readonly generation: Generation
  readonly guests: Guests
  readonly clock: Clock
  /** Where to listen; undefined for every address. */
  readonly host: string | undefined
  /** 0 lets the system choose. */
  readonly port: number
  /** Biggest message of a client; a bigger one closes its socket with 1009. */
  readonly maxFrameBytes: number
  /** Messages, pings and pongs that a client may send in each `windowMs`; 0 for no limit. */
  readonly maxFrames: number
  readonly windowMs: number
  readonly onFault: (error: unknown) => void
  /** Told when a client is dropped because there are too many, once until there is room again. */
  readonly onFull: () => void
}

/** Heads and bodies that come in drops are cut off, so that idle clients cannot use up the server's sockets. */
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000
const TIMEOUT_CHECK_MS = 2_000
/** Tokens stand in headers and paths, and long lists of channels in tokens. */
const MAX_HEADER_BYTES = 65_536
/** Nothing is sent to an idle client: TCP finds out by itself whether it is still there. */
const KEEP_ALIVE_MS = 30_000

/** Philote's port: sockets of guests, and a bit of HTTP. */
export class PhiloteServer {
  readonly #http: Server
  readonly #handshakes: Handshakes
  readonly #sockets = new Set<PhiloteSocket>()
  #hasToldFull = false
  /** Messages that were dropped because their sender may not write there. */
  refusedWrites = 0

  constructor(private readonly options: PhiloteOptions) {
    this.#handshakes = new Handshakes({
      maxFrameBytes: options.maxFrameBytes,
      refusal: () => rawAnswer(JWT_REFUSALS.key),
      pickProtocol: (offered) => options.generation.pickProtocol(offered),
    })
    this.#http = createServer({
      IncomingMessage: PacedRequest,
      ServerResponse: PacedResponse,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    })
    limitPipelines(this.#http)
    this.#http.on('timeout', cutIdle)
    this.#http.on('clientError', onClientError)
    this.#http.on('request', (request, response) =>
      inBackground(this.#answer(request, response), options.onFault),
    )
    this.#http.on('upgrade', (request: IncomingMessage, socket, head: Buffer) => {
      if (isWaiting(request)) return
      socket.on('error', destroyOnError)
      inBackground(this.#upgrade({ request, socket, head }), options.onFault)
    })
  }

  get connections(): number {
    return this.#sockets.size
  }

  get port(): number {
    const address = this.#http.address()
    return typeof address === 'object' && address ? address.port : this.options.port
  }

  /** Listens; answers the port. */
  async start(): Promise<number> {
    const { host, port } = this.options
    await new Promise<void>((resolve, reject) => {
      this.#http.once('error', reject)
      this.#http.listen({ port, ...(host !== undefined && { host }) }, () => {
        this.#http.off('error', reject)
        resolve()
      })
    })
    return this.port
  }

  /** Accepts nothing new; resolves once all sockets are closed, which is for the hub to do. */
  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => void this.#http.close(() => resolve()))
    // The hub knows those that were admitted only.
    for (const socket of this.#sockets) if (!socket.isAdmitted) socket.close(CLOSE.stopping)
    this.#http.closeIdleConnections()
    await closed
  }

  /** Cuts what is still open. */
  terminate(): void {
    this.#handshakes.terminate()
    this.#http.closeAllConnections()
  }

  async #judge(request: IncomingMessage): Promise<Verdict> {
    try {
      return await this.options.generation.judge(request, this)
    } catch (error) {
      this.options.onFault(error)
      return { answer: { status: 500, text: 'Internal Server Error' } }
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const rest = restOf(request)
    const verdict = await this.#judge(request)
    const answer = 'answer' in verdict ? verdict.answer : JWT_REFUSALS.connection
    if (rest?.isLong === true) {
      response.setHeader('Connection', 'close')
      rest.leave()
    }
    response.writeHead(answer.status, headersOf(answer)).end(answer.text)
  }

  async #upgrade(upgrade: UpgradeRequest): Promise<void> {
    const verdict = await this.#judge(upgrade.request)
    if ('answer' in verdict) return refuseUpgrade(upgrade.socket, rawAnswer(verdict.answer))
    const socket = this.#newSocket(upgrade.request)
    try {
      if (this.#sockets.size >= this.options.generation.maxConnections)
        return this.#turnAway(upgrade, socket)
      this.#sockets.add(socket)
      if ('permissions' in verdict) await this.#admitFirst(upgrade, socket, verdict.permissions)
      else await this.#openFirst(upgrade, socket, verdict.findPermissions)
    } catch (error) {
      this.options.onFault(error)
      this.#sockets.delete(socket)
      socket.close(CLOSE.unavailable)
      if (!socket.isOpen) upgrade.socket.destroy()
    }
  }

  /** The client listens before it is told that it is connected: what is said then is for it. */
  async #admitFirst(
    upgrade: UpgradeRequest,
    socket: PhiloteSocket,
    permissions: Permissions,
  ): Promise<void> {
    const { guests } = this.options
    const guest = await this.#admit(socket, permissions)
    if (this.#handshakes.accept(upgrade, socket)) return guests.drained(guest)
    guests.close(guest)
    this.#sockets.delete(socket)
  }

  async #openFirst(
    upgrade: UpgradeRequest,
    socket: PhiloteSocket,
    findPermissions: () => Promise<Permissions | string>,
  ): Promise<void> {
    if (!this.#handshakes.accept(upgrade, socket)) {
      this.#sockets.delete(socket)
      return
    }
    socket.wait()
    const found = await findPermissions()
    if (typeof found !== 'string') {
      const guest = await this.#admit(socket, found)
      // It may have gone while the store was asked.
      if (!this.#sockets.has(socket)) this.options.guests.close(guest)
      return
    }
    socket.tell(JSON.stringify(found))
    // It holds no place while it closes: strangers could take all of them.
    this.#sockets.delete(socket)
    socket.close(CLOSE.refused)
  }

  async #admit(socket: PhiloteSocket, { read, write }: Permissions): Promise<Guest> {
    const { guests, generation } = this.options
    const guest = guests.open(crypto.randomUUID() as UserName, socket)
    try {
      const newest = await guests.keep(guest, read)
      await guests.listen(guest, read, newest)
      await generation.ready?.(read)
    } catch (error) {
      guests.close(guest)
      throw error
    }
    socket.admit(guest, write)
    return guest
  }

  /** Recorded: upgraded, and dropped without a close frame. */
  #turnAway(upgrade: UpgradeRequest, socket: PhiloteSocket): void {
    if (this.#handshakes.accept(upgrade, socket)) socket.abandon()
    if (!this.#hasToldFull) this.options.onFull()
    this.#hasToldFull = true
  }

  #newSocket({ url }: IncomingMessage): PhiloteSocket {
    const { guests, clock, generation, maxFrames, windowMs, onFault } = this.options
    return new PhiloteSocket(
      {
        guests,
        clock,
        dialect: generation.dialect,
        maxFrames,
        windowMs,
        onFault,
        onRefusedWrite: () => this.refusedWrites++,
        onClosed: (socket) => {
          if (this.#sockets.delete(socket)) this.#hasToldFull = false
        },
      },
      queryOf(url).get('errors') === '1',
    )
  }
}

/** As Node does it without being told, but not for thousands in one turn of the event loop. */
function onClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  const status = CLIENT_ERROR_STATUS[error.code ?? ''] ?? 400
  windUp(() => {
    const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n\r\n`
    if (socket.writable && error.code !== 'ECONNRESET') socket.write(head)
    socket.destroy()
  })
}

const CLIENT_ERROR_STATUS: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
}

function headersOf({ text, tellsVersion }: Refusal): Record<string, string | number> {
  return {
    'Content-Type': 'text/plain; charset=utf-8',
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-store',
    'Content-Length': Buffer.byteLength(text),
    ...(tellsVersion === true && { 'Sec-WebSocket-Version': '13' }),
  }
}

/** An answer as bytes, for sockets that Node has handed over. */
function rawAnswer(answer: Refusal): string {
  const headers = Object.entries({ ...headersOf(answer), Connection: 'close' })
  const lines = headers.map(([name, value]) => `${name}: ${value}`)
  const reason = STATUS_CODES[answer.status] ?? 'Refused'
  return [`HTTP/1.1 ${answer.status} ${reason}`, ...lines, '', answer.text].join('\r\n')
}
