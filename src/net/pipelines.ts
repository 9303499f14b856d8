/**
 * How many requests of one socket are under way at a time.
 *
 * A client may send requests without waiting for answers (pipelining), and 2,600 fit into one read of the network. Node makes
 * all of them at once, and answers them in order. Here what is beyond a limit stays bytes until those before it are answered.
 */
import { ServerResponse } from 'node:http'
import { CompactRequest } from './compact-request.ts'
import { destroyOnError } from './destroy-on-error.ts'
import { paceReading, unshiftInPieces } from './paced-reading.ts'
import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'

/** Requests of one socket that may be unanswered. */
const MAX_UNANSWERED = 32
/**
 * Requests in one turn of the event loop that came while one before them was unanswered, from all sockets together. One with many
 * headers counts as several.
 */
const MAX_PIPELINED_A_TURN = 256
const HEADERS_OF_ONE = 16

const PIPELINE = Symbol('pipeline')
type PipedSocket = Socket & { [PIPELINE]?: Pipeline }

let pipelinedInTurn = 0

function countPipelined({ rawHeaders }: IncomingMessage): void {
  if (pipelinedInTurn === 0) setImmediate(forgetPipelined)
  pipelinedInTurn += 1 + Math.floor(rawHeaders.length / 2 / HEADERS_OF_ONE)
}

function forgetPipelined(): void {
  pipelinedInTurn = 0
}

/** The requests of one socket that are unanswered. */
class Pipeline {
  unanswered = 0
  /** Of more than one, all: Node tells only the first of them that the socket closed. */
  readonly #responses = new Set<ServerResponse>()
  #onAllAnswered: (() => void) | undefined

  constructor(private readonly socket: Socket) {}

  /** Whether the next request has to wait. One for an upgrade waits for all before it: it takes the socket over. */
  isFull(isUpgrade: boolean): boolean {
    if (this.unanswered === 0) return false
    return isUpgrade || this.unanswered >= MAX_UNANSWERED || pipelinedInTurn >= MAX_PIPELINED_A_TURN
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

const ASKED = Symbol('upgrade asked for')
const WAITS = Symbol('has to wait')

/** A request that may have to wait: for Node it is an upgrade then, which stops the parser behind its head. */
export class PacedRequest extends CompactRequest {
  declare upgrade: boolean;
  [ASKED] = false;
  [WAITS]: boolean | undefined = undefined

  /** Whether it is an upgrade indeed. `asked`: its headers say so. */
  isUpgrade(asked: boolean): boolean {
    return asked
  }
}

// An accessor, because the parser sets the property before it reads it back to decide.
Object.defineProperty(PacedRequest.prototype, 'upgrade', {
  get(this: PacedRequest): boolean {
    const isUpgrade = this.isUpgrade(this[ASKED])
    this[WAITS] ??= (this.socket as PipedSocket)[PIPELINE]?.isFull(isUpgrade) ?? false
    return this[WAITS] || isUpgrade
  },
  set(this: PacedRequest, asked: unknown) {
    this[ASKED] = asked === true
  },
})

/** An answer to a `PacedRequest`. */
export class PacedResponse<
  Request extends IncomingMessage = IncomingMessage,
> extends ServerResponse<Request> {
  constructor(...parameters: ConstructorParameters<typeof ServerResponse<Request>>) {
    super(...parameters)
    const socket: PipedSocket = parameters[0].socket
    socket[PIPELINE] ??= new Pipeline(socket)
    socket[PIPELINE].began(this)
  }

  /** Called by Node once the answer has been written. */
  override detachSocket(socket: Socket): void {
    super.detachSocket(socket)
    ;(socket as PipedSocket)[PIPELINE]?.ended(this)
  }
}

/** Whether the request waits, and is no upgrade for anybody else. */
export const isWaiting = (request: IncomingMessage): boolean =>
  request instanceof PacedRequest && request[WAITS] === true

/**
 * Has the requests of a server wait that it makes as `PacedRequest` and answers as `PacedResponse`. To be called before
 * anybody listens to its connections: a socket that went by goes back to Node's own listener, and is new for nobody else.
 */
export function limitPipelines(server: Server): void {
  const [listen] = server.listeners('connection')
  const giveBack = (socket: Socket): void => void listen?.call(server, socket)
  /** Sockets of which nothing is read until what was read has been answered. Node does not know them meanwhile. */
  const waiting = new Set<Socket>()
  server.on('upgrade', (request, socket, head: Buffer) => {
    if (isWaiting(request))
      waitForAnswers({ request, socket: socket as PipedSocket, head, giveBack }, waiting)
  })
  const closeThoseNodeKnows = server.closeAllConnections.bind(server)
  server.closeAllConnections = () => {
    closeThoseNodeKnows()
    for (const socket of waiting) socket.destroy()
  }
}

interface Waiting {
  readonly request: IncomingMessage
  readonly socket: PipedSocket
  /** What came behind the head of the request. */
  readonly head: Buffer
  readonly giveBack: (socket: Socket) => void
}

function waitForAnswers(held: Waiting, waiting: Set<Socket>): void {
  const { socket } = held
  waiting.add(socket)
  const forget = (): void => void waiting.delete(socket)
  socket.on('error', destroyOnError)
  socket.once('close', forget)
  const goOn = (): void => {
    socket.off('error', destroyOnError)
    socket.off('close', forget)
    forget()
    if (!socket.destroyed && socket.writable) readOn(held)
  }
  // In a turn of its own, because it may bring as many requests as the one before.
  socket[PIPELINE]?.whenAllAnswered(() => setImmediate(goOn))
}

/** Gives the socket back to Node, as if the request came now. */
function readOn({ request, socket, head, giveBack }: Waiting): void {
  paceReading(socket)
  unshiftInPieces(socket, head)
  socket.unshift(headOf(request))
  giveBack(socket)
}

function headOf({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let at = 0; at < rawHeaders.length; at += 2)
    lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`)
  return Buffer.from([...lines, '', ''].join('\r\n'), 'latin1')
}
