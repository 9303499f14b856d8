/**
 * Limits how many requests of one socket are in progress at a time.
 *
 * A client may send requests without waiting for answers (pipelining), and 2,600 fit into one read from the network.
 * Node creates all of them at once and answers them in order. Here, requests beyond a limit stay unparsed bytes until
 * earlier ones are answered.
 */
import { ServerResponse } from 'node:http'
import { CompactRequest } from './compact-request.ts'
import { destroyOnError } from './destroy-on-error.ts'
import { paceReading, unshiftInPieces } from './paced-reading.ts'
import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'

/** Unanswered requests per socket. */
const MAX_UNANSWERED = 32
/**
 * Pipelined requests per turn of the event loop, from all sockets together. A request is pipelined if an earlier one on
 * its socket is unanswered. One with many headers counts as several.
 */
const MAX_PIPELINED_PER_TURN = 256
const HEADERS_PER_REQUEST = 16

const PIPELINE = Symbol('pipeline')
type PipedSocket = Socket & { [PIPELINE]?: Pipeline }

let pipelinedInTurn = 0

function countPipelined({ rawHeaders }: IncomingMessage): void {
  if (pipelinedInTurn === 0) setImmediate(resetPipelined)
  pipelinedInTurn += 1 + Math.floor(rawHeaders.length / 2 / HEADERS_PER_REQUEST)
}

function resetPipelined(): void {
  pipelinedInTurn = 0
}

/** The unanswered requests of one socket. */
class Pipeline {
  unanswered = 0
  /**
   * Responses that began while another one was unanswered. When the socket closes, Node notifies only the response that
   * holds the socket.
   */
  readonly #responses = new Set<ServerResponse>()
  #onAllAnswered: (() => void) | undefined

  constructor(private readonly socket: Socket) {}

  /**
   * Returns whether the next request has to wait. An upgrade waits for all earlier requests, because it takes over the
   * socket.
   */
  isFull(isUpgrade: boolean): boolean {
    if (this.unanswered === 0) return false
    return (
      isUpgrade || this.unanswered >= MAX_UNANSWERED || pipelinedInTurn >= MAX_PIPELINED_PER_TURN
    )
  }

  began(response: ServerResponse): void {
    if (this.unanswered++ === 0) return
    countPipelined(response.req)
    if (this.#responses.size === 0) this.socket.once('close', this.#closeAll)
    this.#responses.add(response)
  }

  ended(response: ServerResponse): void {
    if (this.#responses.delete(response) && this.#responses.size === 0)
      this.socket.off('close', this.#closeAll)
    if (--this.unanswered > 0) return
    this.#onAllAnswered?.()
    this.#onAllAnswered = undefined
  }

  whenAllAnswered(task: () => void): void {
    this.#onAllAnswered = task
  }

  readonly #closeAll = (): void => {
    for (const response of this.#responses) {
      response.destroyed = true
      response.emit('close')
    }
    this.#responses.clear()
  }
}

const UPGRADE_REQUESTED = Symbol('upgrade requested')
const HAS_TO_WAIT = Symbol('has to wait')

/**
 * A request that may have to wait. To make it wait, it poses as an upgrade: Node's parser then stops after its headers.
 */
export class PacedRequest extends CompactRequest {
  declare upgrade: boolean;
  [UPGRADE_REQUESTED] = false;
  [HAS_TO_WAIT]: boolean | undefined = undefined

  /** Returns whether it really is an upgrade. `asked`: its headers ask for one. */
  isUpgrade(asked: boolean): boolean {
    return asked
  }
}

// An accessor, because the parser sets the property and then reads it back to decide.
Object.defineProperty(PacedRequest.prototype, 'upgrade', {
  get(this: PacedRequest): boolean {
    const isUpgrade = this.isUpgrade(this[UPGRADE_REQUESTED])
    this[HAS_TO_WAIT] ??= (this.socket as PipedSocket)[PIPELINE]?.isFull(isUpgrade) ?? false
    return this[HAS_TO_WAIT] || isUpgrade
  },
  set(this: PacedRequest, asked: unknown) {
    this[UPGRADE_REQUESTED] = asked === true
  },
})

/** The response to a `PacedRequest`. */
export class PacedResponse<
  Request extends IncomingMessage = IncomingMessage,
> extends ServerResponse<Request> {
  constructor(...parameters: ConstructorParameters<typeof ServerResponse<Request>>) {
    super(...parameters)
    const socket: PipedSocket = parameters[0].socket
    socket[PIPELINE] ??= new Pipeline(socket)
    socket[PIPELINE].began(this)
  }

  /** Node calls this when the response has been written. */
  override detachSocket(socket: Socket): void {
    super.detachSocket(socket)
    ;(socket as PipedSocket)[PIPELINE]?.ended(this)
  }
}

/** Returns whether the request has to wait. Other upgrade listeners must then ignore it. */
export const isWaiting = (request: IncomingMessage): boolean =>
  request instanceof PacedRequest && request[HAS_TO_WAIT] === true

/**
 * Limits the pipelines of a server that uses `PacedRequest` and `PacedResponse`. Call this before any other listener
 * for `connection` is added: a socket that has waited returns to Node's own listener only, so it does not count as new.
 */
export function limitPipelines(server: Server): void {
  const [listen] = server.listeners('connection')
  const returnToNode = (socket: Socket): void => void listen?.call(server, socket)
  /** Sockets that are not read until earlier requests have been answered. Node does not track them meanwhile. */
  const waiting = new Set<Socket>()
  server.on('upgrade', (request, socket, head: Buffer) => {
    if (isWaiting(request))
      waitForAnswers({ request, socket: socket as PipedSocket, head, returnToNode }, waiting)
  })
  const closeTrackedByNode = server.closeAllConnections.bind(server)
  server.closeAllConnections = () => {
    closeTrackedByNode()
    for (const socket of waiting) socket.destroy()
  }
}

interface Waiting {
  readonly request: IncomingMessage
  readonly socket: PipedSocket
  /** The bytes that arrived after the headers of the request. */
  readonly head: Buffer
  readonly returnToNode: (socket: Socket) => void
}

function waitForAnswers(held: Waiting, waiting: Set<Socket>): void {
  const { socket } = held
  waiting.add(socket)
  const forget = (): void => void waiting.delete(socket)
  socket.on('error', destroyOnError)
  socket.once('close', forget)
  const resume = (): void => {
    socket.off('error', destroyOnError)
    socket.off('close', forget)
    forget()
    if (!socket.destroyed && socket.writable) resumeReading(held)
  }
  // In a later turn, because it may bring as many requests as before.
  socket[PIPELINE]?.whenAllAnswered(() => setImmediate(resume))
}

/** Gives the socket back to Node, as if the request had just arrived. */
function resumeReading({ request, socket, head, returnToNode }: Waiting): void {
  paceReading(socket)
  unshiftInPieces(socket, head)
  socket.unshift(headOf(request))
  returnToNode(socket)
}

function headOf({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let at = 0; at < rawHeaders.length; at += 2)
    lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`)
  return Buffer.from([...lines, '', ''].join('\r\n'), 'latin1')
}
