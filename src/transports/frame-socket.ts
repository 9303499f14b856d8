/** What every WebSocket of this server shares: the handshake, and ready frames that are written as they are. */
import { WebSocket, WebSocketServer } from 'ws'
import { destroyOnError } from '../net/destroy-on-error.ts'
import { paceReading, unshiftInPieces } from '../net/paced-reading.ts'
import { discardInput, endSoon } from '../net/unread.ts'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ClientOptions } from 'ws'
import type { Batch } from '../core/delivery/batch.ts'
import type { Sink } from '../core/delivery/connection.ts'
import type { CloseReason } from '../protocol/close-codes.ts'

/** How long a client may take to answer a close before the socket is cut; a little longer for most. */
const CLOSE_TIMEOUT_MS = 3_000
/** Of sockets that are closed at once, few are cut in the same millisecond. */
const CLOSE_SPREAD = { steps: 64, ms: 16 }

/** The code that `ws` gives a close without a close frame: the peer broke off. (1005 is a frame without a code.) */
export const BROKE_OFF = 1006

export interface HandshakeOptions {
  /** Biggest message that a client may send; a bigger one closes the socket with 1009. */
  readonly maxFrameBytes: number
  /** The bytes that refuse what `ws` finds wrong with a handshake. */
  readonly refusal: () => string
  /** Which of the offered subprotocols is picked; false for none. Left out: the first. */
  readonly pickProtocol?: (offered: ReadonlySet<string>) => string | false
}

/** How `ws` serves the sockets of this server. `maxFrameBytes`: the largest message that a client may send. */
export const webSocketSettings = (maxFrameBytes: number) => ({
  WebSocket: ClientSocket,
  maxPayload: maxFrameBytes,
  perMessageDeflate: false,
})

/** Answers handshakes outside of Fastify, and knows the sockets that came of them. */
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

  /** Answers with 101 and opens the sink, at once. False: the peer has gone, or the handshake was none and is refused. */
  accept({ request, socket, head }: UpgradeRequest, sink: Pick<FrameSocket, 'open'>): boolean {
    let isOpen = false
    this.#server.handleUpgrade(request, socket, readFrames(socket, head), (webSocket) => {
      socket.off('error', destroyOnError)
      isOpen = true
      sink.open(webSocket, socket)
    })
    return isOpen
  }

  /** Cuts every socket that is still open, without a close frame. */
  terminate(): void {
    this.#server.clients.forEach((client) => client.terminate())
  }
}

/** A request that asks for a WebSocket, with the socket that it came by. */
export interface UpgradeRequest {
  readonly request: IncomingMessage
  readonly socket: Duplex
  readonly head: Buffer
}

const NOTHING = Buffer.alloc(0)

/**
 * Prepares a socket for frames. `head`: what came behind the handshake. Answers what `ws` gets in its place: nothing.
 *
 * `ws` hands on all frames of a read of the network in one turn of the event loop, of which 64 KiB may hold 10,000.
 */
export function readFrames(socket: Duplex, head: Buffer): Buffer {
  paceReading(socket)
  unshiftInPieces(socket, head)
  return NOTHING
}

/**
 * What a client still sends after its socket was closed is not looked at. The socket is cut soon, also if the client
 * does not answer the close.
 */
export function stopReading(socket: Duplex): void {
  discardInput(socket)
  endSoon(socket)
}

/** Nothing else watches over a socket that was refused: it goes as soon as its answer has left. */
export function refuseUpgrade(socket: Duplex, answer: string): void {
  socket.once('finish', () => socket.destroy())
  socket.end(answer)
}

/** A socket that knows its sink, so that its listeners need not be closures, of which there would be five a socket. */
export class ClientSocket extends WebSocket {
  sink: FrameSocket | undefined

  // The signatures of `ws`.
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

/** A sink that writes to a WebSocket. Before it is opened it is not writable, and what closes it then closes it on opening. */
export abstract class FrameSocket implements Sink {
  readonly kind = 'stream'
  #webSocket: ClientSocket | undefined
  /** The connection under the WebSocket: ready frames are written to it as they are. */
  #socket: Duplex | undefined
  #reason: CloseReason | undefined
  /** The number of the last event before those that the system refused to take. */
  #refusedAfter: number | undefined

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

  /** The server has closed it. The client may still write for a while. */
  protected get isClosing(): boolean {
    return this.#reason !== undefined
  }

  /** Not once the peer has ended its side: until the socket is closed, whatever is written would be dropped. */
  get writable(): boolean {
    return this.isOpen && this.#socket?.writableNeedDrain === false
  }

  get held(): number {
    return this.#socket?.writableLength ?? 0
  }

  abstract send(batch: Batch, after: number): void
  abstract heartbeat(): void

  close(reason: CloseReason): void {
    this.#reason = reason
    // Where nothing is read, the client's answer to the close would not be either.
    this.resume()
    this.#webSocket?.close(reason.code, reason.text)
  }

  abandon(): void {
    this.#webSocket?.terminate()
  }

  /** To be called after `close`: nothing more that the client sends is looked at, and it need not answer the close. */
  protected stopReading(): void {
    if (this.#socket) stopReading(this.#socket)
  }

  /** What the system took may be on its way: nothing is known of it. */
  release(): number | undefined {
    return this.#refusedAfter
  }

  /** A message came from the client. */
  abstract received(message: Buffer): void
  /** The client sent a ping or a pong. */
  abstract showedLife(): void
  /** The network has taken what it was given. */
  abstract drained(): void
  /** It is closed. `code` is the client's own, if it sent one. */
  abstract closed(code: number): void

  /** `after`: the number of the last event before those that are written; undefined if these are no events. */
  protected write(bytes: Buffer, after?: number): void {
    const socket = this.#socket
    if (!socket || !this.isOpen) return
    if (!socket.write(bytes)) socket.once('drain', () => this.drained())
    // The peer has reset the connection, which nobody has read yet.
    if (!socket.writable) this.#refusedAfter ??= after
  }

  /** Reads no more until `resume`; what has been read already still comes. */
  protected pause(): void {
    this.#webSocket?.pause()
  }

  protected resume(): void {
    this.#webSocket?.resume()
  }

  /** Reads no more until the client has read what it was sent. */
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

/** A frame that breaks the protocol, or a socket that broke: `ws` ends it, and `close` follows. */
function onError(): void {}
