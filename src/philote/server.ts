import { once } from 'node:events'
import { STATUS_CODES } from 'node:http'
import { inBackground } from '../lib/in-background.ts'
import { queryOf } from '../lib/urls.ts'
import { bytesOf } from '../net/answers.ts'
import { destroyOnError } from '../net/destroy-on-error.ts'
import { requestsWithUpgrades } from '../net/messages.ts'
import { bindPassed } from '../net/passed-sockets.ts'
import { isWaiting } from '../net/pipelines.ts'
import { openServer } from '../net/server.ts'
import { REFUSAL_STATUS, REFUSED_RETRY_SECONDS } from '../net/socket-limits.ts'
import { restOf } from '../net/unread-rest.ts'
import { CLOSE } from '../protocol/close-codes.ts'
import { Handshakes, refuseUpgrade } from '../transports/frame-socket.ts'
import { JWT_REFUSALS } from './refusals.ts'
import { PhiloteSocket } from './socket.ts'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Guest } from '../core/delivery/guest.ts'
import type { Guests } from '../core/sessions/guests.ts'
import type { Clock } from '../lib/clock.ts'
import type { Secrets } from '../lib/secrets.ts'
import type { PlainAnswer } from '../net/answers.ts'
import type { NetLog } from '../net/refusals.ts'
import type { SocketLimits } from '../net/socket-limits.ts'
import type { UserName } from '../protocol/ids.ts'
import type { UpgradeRequest } from '../transports/frame-socket.ts'
import type { Generation, Decision } from './generation.ts'
import type { Refusal } from './refusals.ts'
import type { SocketOptions } from './socket.ts'
import type { Permissions } from './token.ts'

export interface PhiloteOptions {
  readonly generation: Generation
  readonly guests: Guests
  readonly clock: Clock
  /** The address to listen on; undefined for all addresses. */
  readonly host: string | undefined
  /** 0 lets the system choose. */
  readonly port: number
  /** Maximum size of a client's message; a larger one closes its socket with 1009. */
  readonly maxFrameBytes: number
  /** Messages, pings and pongs that a client may send in each `windowMs`; 0 for no limit. */
  readonly maxFrames: number
  readonly windowMs: number
  readonly limits: SocketLimits
  /** Returns the client's address, as reported by proxies. */
  readonly addressOf: (request: IncomingMessage) => string
  readonly log: Pick<NetLog, 'debug'>
  /** Counts how sockets end. */
  readonly closings?: SocketOptions['closings']
  readonly onFault: (error: unknown) => void
  /** Called when a client is dropped because there are too many; once until there is room again. */
  readonly onFull: () => void
}

/** Headers and paths contain tokens, and tokens contain long lists of channels. */
const MAX_HEADER_BYTES = 65_536
/** The server sends no pings to idle clients. TCP keep-alive finds lost connections. */
const KEEP_ALIVE_MS = 30_000

/** Takes any upgrade: the generation checks it. */
const AnyUpgrade = requestsWithUpgrades(() => true)

/** Serves Philote's port: sockets of guests, and a few HTTP requests. */
export class PhiloteServer {
  readonly #http: Server
  readonly #handshakes: Handshakes
  readonly #sockets = new Set<PhiloteSocket>()
  #hasReportedFull = false
  /** Messages that were dropped because the sender has no permission to write to the channel. */
  refusedWrites = 0

  constructor(private readonly options: PhiloteOptions) {
    this.#handshakes = new Handshakes({
      maxFrameBytes: options.maxFrameBytes,
      refusal: () => rawAnswer(JWT_REFUSALS.key),
      pickProtocol: (offered) => options.generation.pickProtocol(offered),
    })
    this.#http = openServer({
      options: {
        IncomingMessage: AnyUpgrade,
        maxHeaderSize: MAX_HEADER_BYTES,
        keepAlive: true,
        keepAliveInitialDelay: KEEP_ALIVE_MS,
      },
      handler: (request, response) =>
        inBackground(this.#answer(request, response), options.onFault),
      limits: options.limits,
      refusal: refusalAnswer,
      log: options.log,
    })
    this.#http.on('upgrade', (request: IncomingMessage, socket, head: Buffer) => {
      if (isWaiting(request)) return
      socket.on('error', destroyOnError)
      inBackground(this.#upgrade({ request, socket, head }), options.onFault)
    })
  }

  get connections(): number {
    return this.#sockets.size
  }

  /** Applies to tokens that are checked from now on. */
  changeSecrets(secrets: Secrets): void {
    this.options.generation.changeSecrets?.(secrets)
  }

  get port(): number {
    const address = this.#http.address()
    return typeof address === 'object' && address ? address.port : this.options.port
  }

  /** Starts to listen, on a port or on a socket that is open already. Resolves with the port. */
  async start(passed?: number): Promise<number> {
    const http = this.#http
    const bind = (options: object) => once(http.listen(options), 'listening')
    if (passed !== undefined) return (await bindPassed(http, () => bind({ fd: passed }))).port
    const { host, port } = this.options
    await bind({ port, ...(host !== undefined && { host }) })
    return this.port
  }

  /** Stops accepting connections. Resolves when all sockets are closed; the hub closes those of its guests. */
  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => void this.#http.close(() => resolve()))
    // The hub closes only sockets that have a guest.
    for (const socket of this.#sockets) if (!socket.isStarted) socket.close(CLOSE.stopping)
    this.#http.closeIdleConnections()
    await closed
  }

  /** Cuts all open connections. */
  terminate(): void {
    this.#handshakes.terminate()
    this.#http.closeAllConnections()
  }

  async #evaluate(request: IncomingMessage): Promise<Decision> {
    try {
      return await this.options.generation.evaluate(request, this)
    } catch (error) {
      this.options.onFault(error)
      return { answer: { status: 500, text: 'Internal Server Error' } }
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const rest = restOf(request)
    const decision = await this.#evaluate(request)
    const answer = 'answer' in decision ? decision.answer : JWT_REFUSALS.connection
    if (rest?.isLong === true) {
      response.setHeader('Connection', 'close')
      rest.leave()
    }
    response.writeHead(answer.status, headersOf(answer)).end(answer.text)
  }

  async #upgrade(upgrade: UpgradeRequest): Promise<void> {
    const { limits, addressOf } = this.options
    const refusal = limits.enter(upgrade.request, addressOf(upgrade.request))
    if (refusal !== undefined)
      return refuseUpgrade(upgrade.socket, bytesOf(refusalAnswer(REFUSAL_STATUS[refusal])))
    const decision = await this.#evaluate(upgrade.request)
    if ('answer' in decision) return refuseUpgrade(upgrade.socket, rawAnswer(decision.answer))
    const socket = this.#newSocket(upgrade.request)
    try {
      if (this.#sockets.size >= this.options.generation.maxConnections)
        return this.#turnAway(upgrade, socket)
      this.#sockets.add(socket)
      if ('permissions' in decision)
        await this.#openGuestFirst(upgrade, socket, decision.permissions)
      else await this.#acceptFirst(upgrade, socket, decision.findPermissions)
    } catch (error) {
      this.options.onFault(error)
      this.#sockets.delete(socket)
      socket.close(CLOSE.unavailable)
      if (!socket.isOpen) upgrade.socket.destroy()
    }
  }

  /** Subscribes the client before it learns that it is connected, so that it gets all messages from then on. */
  async #openGuestFirst(
    upgrade: UpgradeRequest,
    socket: PhiloteSocket,
    permissions: Permissions,
  ): Promise<void> {
    const { guests } = this.options
    const guest = await this.#openGuest(socket, permissions)
    if (this.#handshakes.accept(upgrade, socket)) return guests.drained(guest)
    guests.close(guest)
    this.#sockets.delete(socket)
  }

  async #acceptFirst(
    upgrade: UpgradeRequest,
    socket: PhiloteSocket,
    findPermissions: () => Promise<Permissions | string>,
  ): Promise<void> {
    if (!this.#handshakes.accept(upgrade, socket)) {
      this.#sockets.delete(socket)
      return
    }
    socket.waitForStart()
    const found = await findPermissions()
    if (typeof found !== 'string') {
      const guest = await this.#openGuest(socket, found)
      // The client may have gone while the guest was opened.
      if (!this.#sockets.has(socket)) this.options.guests.close(guest)
      return
    }
    socket.sendText(JSON.stringify(found))
    // A closing socket does not count towards the limit. Otherwise strangers could use up all connections.
    this.#sockets.delete(socket)
    socket.close(CLOSE.refused)
  }

  async #openGuest(socket: PhiloteSocket, { read, write }: Permissions): Promise<Guest> {
    const { guests, generation } = this.options
    const readable = read.filter((channel) => guests.mayBe(channel))
    const guest = guests.open(crypto.randomUUID() as UserName, socket)
    try {
      const newest = await guests.keep(guest, readable)
      await guests.listen(guest, readable, newest)
      await generation.ready?.(readable)
    } catch (error) {
      guests.close(guest)
      throw error
    }
    socket.start(guest, new Set([...write].filter((channel) => guests.mayBe(channel))))
    return guest
  }

  /** Accepts the upgrade, and drops the socket without a close frame. Source: recorded. */
  #turnAway(upgrade: UpgradeRequest, socket: PhiloteSocket): void {
    if (this.#handshakes.accept(upgrade, socket)) socket.abandon()
    if (!this.#hasReportedFull) this.options.onFull()
    this.#hasReportedFull = true
  }

  #newSocket({ url }: IncomingMessage): PhiloteSocket {
    const { guests, clock, generation, maxFrames, windowMs, closings, onFault } = this.options
    return new PhiloteSocket(
      {
        guests,
        clock,
        dialect: generation.dialect,
        maxFrames,
        windowMs,
        closings,
        onFault,
        onRefusedWrite: () => this.refusedWrites++,
        onClosed: (socket) => {
          if (this.#sockets.delete(socket)) this.#hasReportedFull = false
        },
      },
      queryOf(url).get('errors') === '1',
    )
  }
}

function headersOf({ text, namesVersion }: Refusal): Record<string, string | number> {
  return {
    'Content-Type': 'text/plain; charset=utf-8',
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-store',
    'Content-Length': Buffer.byteLength(text),
    ...(namesVersion === true && { 'Sec-WebSocket-Version': '13' }),
  }
}

/** Writes an answer as bytes, for sockets that Node has handed over. */
const rawAnswer = (answer: Refusal): string => bytesOf({ ...answer, headers: headersOf(answer) })

const RETRY_AFTER = { 'Retry-After': REFUSED_RETRY_SECONDS }

/** The answer to a socket or a request that is refused before it reaches the generation. */
function refusalAnswer(status: number): PlainAnswer {
  const text = STATUS_CODES[status] ?? ''
  const isLater = status === 429 || status === 503
  return { status, headers: { ...headersOf({ status, text }), ...(isLater && RETRY_AFTER) }, text }
}
