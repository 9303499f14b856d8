/** The base of all WebSockets of this server: the handshake, and prepared frames that are written unchanged. */
import { WebSocket, WebSocketServer } from 'ws'
import { destroyOnError } from '../net/destroy-on-error.ts'
import { paceReading, unshiftInPieces } from '../net/paced-reading.ts'
import { discardInput, endSoon } from '../net/unread.ts'
import { Uptake } from '../net/unsent.ts'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ClientOptions } from 'ws'
import type { Batch } from '../core/delivery/batch.ts'
import type { Sink } from '../core/delivery/connection.ts'
import type { CloseReason } from '../protocol/close-codes.ts'

/** The time that a client has to answer a close frame. Then the socket is destroyed. */
const CLOSE_TIMEOUT_MS = 3_000
/** Spreads the timeouts of sockets that are closed together, so that few are destroyed in the same millisecond. */
const CLOSE_SPREAD = { steps: 64, ms: 16 }

/**
 * The code that `ws` reports for a connection that ended without a close frame. (1005 is a close frame without a code.)
 */
export const BROKE_OFF = 1006

export interface HandshakeOptions {
  /** The largest message that a client may send. A larger one closes the socket with 1009. */
  readonly maxFrameBytes: number
  /** Returns the response to a handshake that `ws` rejects. */
  readonly refusal: () => string
  /** Picks one of the offered subprotocols, or false for none. The default is the first. */
  readonly pickProtocol?: (offered: ReadonlySet<string>) => string | false
}

/** Returns the options of `ws`. `maxFrameBytes`: the largest message that a client may send. */
export const webSocketSettings = (maxFrameBytes: number) => ({
  WebSocket: ClientSocket,
  maxPayload: maxFrameBytes,
  perMessageDeflate: false,
})

/** Accepts WebSockets outside of Fastify, and keeps track of them. */
export class Handshakes {
  readonly #server: InstanceType<typeof WebSocketServer<typeof ClientSocket>>

  constructor({ maxFrameBytes, refusal, pickProtocol }: HandshakeOptions) {
    this.#server = new WebSocketServer({
      noServer: true,
      ...webSocketSettings(maxFrameBytes),
      ...(pickProtocol && { handleProtocols: pickProtocol }),
    })
    this.#server.on('wsClientError', (_error, socket) => refuseUpgrade(socket, refusal()))
  }

  /**
   * Answers with 101 and opens the sink, synchronously. Returns false if the peer is gone or the handshake is invalid.
   */
  accept({ request, socket, head }: UpgradeRequest, sink: Pick<FrameSocket, 'open'>): boolean {
    let isOpen = false
    this.#server.handleUpgrade(request, socket, readFrames(socket, head), (webSocket) => {
      socket.off('error', destroyOnError)
      isOpen = true
      sink.open(webSocket, socket)
    })
    return isOpen
  }

  /** Destroys every socket that is still open, without a close frame. */
  terminate(): void {
    this.#server.clients.forEach((client) => client.terminate())
  }
}

/** An upgrade request and its socket. */
export interface UpgradeRequest {
  readonly request: IncomingMessage
  readonly socket: Duplex
  readonly head: Buffer
}

const NOTHING = Buffer.alloc(0)

/**
 * Paces the reading of a socket. `head`: the bytes that arrived with the handshake; they are read from the socket
 * again. Returns the empty head that `ws` gets instead.
 *
 * Without this, `ws` emits all frames of one network read in one turn of the event loop, and 64 KiB may hold 10,000.
 */
export function readFrames(socket: Duplex, head: Buffer): Buffer {
  paceReading(socket)
  unshiftInPieces(socket, head)
  return NOTHING
}

/**
 * Discards what a client sends after the server closed its socket. The socket is destroyed soon, even if the client
 * does not answer the close frame.
 */
export function stopReading(socket: Duplex): void {
  discardInput(socket)
  endSoon(socket)
}

/** Sends the response and destroys the socket. Nothing else would close a socket whose upgrade was refused. */
export function refuseUpgrade(socket: Duplex, answer: string): void {
  // Node removes its own listener before `upgrade`. Without one, a client that resets would cause an uncaught error.
  socket.on('error', destroyOnError)
  socket.once('finish', () => socket.destroy())
  socket.end(answer)
}

/** A WebSocket with a reference to its sink. Its listeners are shared functions instead of five closures per socket. */
export class ClientSocket extends WebSocket {
  sink: FrameSocket | undefined

  // The overloads of `ws`.
  constructor(address: null)
  constructor(address: string | URL, options?: ClientOptions)
  constructor(address: string | URL, protocols?: string | string[], options?: ClientOptions)
  constructor(address: string | URL | null, protocols?: unknown, options?: object) {
    const step = opened++ % CLOSE_SPREAD.steps
    const closing: object = { closeTimeout: CLOSE_TIMEOUT_MS + step * CLOSE_SPREAD.ms }
    super(address as string, protocols as string[], { ...options, ...closing })
  }
}

let opened = 0

/**
 * A sink that writes to a WebSocket. Not writable until it is opened. If it is closed earlier, it closes on opening.
 */
export abstract class FrameSocket implements Sink {
  readonly kind = 'stream'
  #webSocket: ClientSocket | undefined
  /** The socket below the WebSocket. Prepared frames are written to it unchanged. */
  #socket: Duplex | undefined
  #reason: CloseReason | undefined
  /** The number of the last event before the events that the system did not accept. */
  #refusedAfter: number | undefined
  readonly #uptake = new Uptake()

  open(webSocket: ClientSocket, socket: Duplex): void {
    this.#webSocket = webSocket
    this.#socket = socket
    webSocket.sink = this
    webSocket.on('message', onMessage)
    webSocket.on('ping', onControlFrame)
    webSocket.on('pong', onControlFrame)
    webSocket.on('close', onClose)
    webSocket.on('error', onError)
    if (this.#reason) webSocket.close(this.#reason.code, this.#reason.text)
  }

  get isOpen(): boolean {
    return this.#webSocket?.readyState === WebSocket.OPEN
  }

  /** True if the server has closed it. The client may still write for a while. */
  protected get isClosing(): boolean {
    return this.#reason !== undefined
  }

  /** False after the peer has ended its side. Until the socket is closed, anything written would be dropped. */
  get writable(): boolean {
    return this.isOpen && this.#socket?.writableNeedDrain === false
  }

  get held(): number {
    return this.#socket?.writableLength ?? 0
  }

  progressed(): boolean {
    return this.#uptake.hasProgressed(this.#socket)
  }

  abstract send(batch: Batch, after: number): void
  abstract heartbeat(): void

  close(reason: CloseReason): void {
    this.#reason = reason
    // Otherwise a paused socket would not read the client's answer to the close frame.
    this.resume()
    this.#webSocket?.close(reason.code, reason.text)
  }

  abandon(): void {
    this.#webSocket?.terminate()
  }

  /** Call after `close`. Discards what the client sends, and does not wait for its answer to the close frame. */
  protected stopReading(): void {
    if (this.#socket) stopReading(this.#socket)
  }

  /** Events that the system has accepted may still arrive, so they count as sent. */
  release(): number | undefined {
    return this.#refusedAfter
  }

  /** Called with each message of the client. */
  abstract received(message: Buffer): void
  /** Called for each ping and pong of the client. */
  abstract showedLife(): void
  /** Called when the network has accepted everything that was written. */
  abstract drained(): void
  /** Called when the socket is closed. `code`: the client's close code, if it sent one. */
  abstract closed(code: number): void

  /** `after`: the number of the last event before the written ones. Undefined if no events are written. */
  protected write(bytes: Buffer, after?: number): void {
    const socket = this.#socket
    if (!socket || !this.isOpen) return
    if (!socket.write(bytes)) socket.once('drain', () => this.drained())
    // The peer has reset the connection, and the error has not been emitted yet.
    if (!socket.writable) this.#refusedAfter ??= after
  }

  /** Stops reading until `resume`. Messages that were already read are still emitted. */
  protected pause(): void {
    this.#webSocket?.pause()
  }

  protected resume(): void {
    this.#webSocket?.resume()
  }

  /** Stops reading until the client has read what was written. */
  protected pauseUntilRead(): void {
    this.pause()
    this.#socket?.once('drain', () => this.resume())
  }
}

function onMessage(this: WebSocket, message: Buffer): void {
  ;(this as ClientSocket).sink?.received(message)
}

function onControlFrame(this: WebSocket): void {
  ;(this as ClientSocket).sink?.showedLife()
}

function onClose(this: WebSocket, code: number): void {
  ;(this as ClientSocket).sink?.closed(code)
}

/** An invalid frame or a socket error: `ws` ends the connection and emits `close`. */
function onError(): void {}
