import { bytesOf } from './answers.ts'
import { KeyedSemaphore, RateLimiter } from './limiters.ts'
import { FileProbe, readOpenFiles } from './open-files.ts'
import { Refusals } from './refusals.ts'
import { isUnixPeer } from './unix-peers.ts'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Clock } from '../lib/clock.ts'
import type { PlainAnswer } from './answers.ts'
import type { OpenFiles } from './open-files.ts'
import type { NetLog, Refusal, RefusalCounts } from './refusals.ts'

export interface SocketRules {
  /** For all ports together; 0 for as many as the limit of open files allows. */
  readonly maxSockets: number
  /** 0 for no limit. */
  readonly maxPerAddress: number
  /** 0 for no limit. */
  readonly maxNewPerSecond: number
  /** Returns whether a proxy has this address. Its sockets carry the requests of other clients. */
  readonly isProxy: (address: string | undefined) => boolean
  /** Returns whether a backend has this address. Backends have no limit per address. */
  readonly isBackend: (address: string | undefined) => boolean
  /** Returns the network that counts as one address. */
  readonly networkOf: (address: string) => string
}

export interface SocketFigures {
  readonly open: number
  /** Infinity if there is no limit. */
  readonly most: number
  readonly refused: RefusalCounts
  readonly isOutOfFiles: boolean
}

export const REFUSAL_STATUS = {
  total: 503,
  open_files: 503,
  rate: 503,
  address: 429,
} as const satisfies Record<Refusal, number>

/** Seconds after which a refused client should try again. */
export const REFUSED_RETRY_SECONDS = 5

/** Refused sockets that get an answer at the same time. Further ones are closed at once. */
const MAX_ANSWERED = 16
/** Milliseconds that a refused client has to read its answer. */
const ANSWER_MS = 1_000
/** File descriptors kept free for other uses: files, Redis, standard streams that are opened again. */
const MAX_KEPT_FILES = 64
const MIN_KEPT_FILES = 8
/** Lower limits are too low for a server with one socket per client. */
const LOW_FILES_LIMIT = 4096

interface Port {
  readonly server: Server
  /** Accepted sockets that are not closed yet, including rejected ones. */
  sockets: number
}

interface Capacity {
  /** Sockets that are served at the same time. */
  readonly most: number
  /** Additional sockets for clients that are still reading their refusal. */
  readonly answered: number
  readonly reason: 'total' | 'open_files'
}

/**
 * Limits the sockets of all ports of a server: how many are open, how many per address, and how many are opened per
 * second.
 *
 * A client that connects directly counts from the moment its socket is accepted until it is closed. A proxy's sockets
 * are limited in total only; the limits per address apply to the requests and WebSockets that it forwards.
 */
export class SocketLimits {
  readonly #ports: Port[] = []
  readonly #addresses: KeyedSemaphore
  readonly #newSockets: RateLimiter
  readonly #refusals: Refusals
  readonly #probe: FileProbe
  /** At the start, before any client has a socket. */
  #files: OpenFiles | undefined
  #capacity: Capacity
  /** Notes about this machine for the operator. Empty before `start`. */
  notes: readonly string[] = []
  #sockets = 0
  #rejected = 0

  constructor(
    private rules: SocketRules,
    private readonly clock: Clock,
    log: NetLog,
  ) {
    this.#addresses = new KeyedSemaphore(rules.maxPerAddress)
    this.#newSockets = new RateLimiter(rules.maxNewPerSecond, clock)
    this.#refusals = new Refusals(clock, log)
    this.#probe = new FileProbe(clock, log)
    this.#capacity = capacityOf(rules.maxSockets, undefined)
  }

  get figures(): SocketFigures {
    return {
      open: this.#sockets - this.#rejected,
      most: this.#capacity.most,
      refused: this.#refusals.counts,
      isOutOfFiles: this.#probe.isExhausted,
    }
  }

  /** Addresses that are counted now; 0 without a limit per address. */
  get addresses(): number {
    return this.#addresses.size
  }

  /** Whether requests that a proxy forwards must be passed to {@link enter}. */
  get countsClients(): boolean {
    return this.rules.maxPerAddress > 0 || this.rules.maxNewPerSecond > 0
  }

  /** Reads the limit of open files. Call this before a port listens. */
  start(): void {
    this.#files = readOpenFiles()
    this.changeRules(this.rules)
    this.#probe.start()
  }

  /** Applies to new sockets. Those that are open stay open, and count as they did when they were opened. */
  changeRules(rules: SocketRules): void {
    this.rules = rules
    this.#addresses.max = rules.maxPerAddress
    this.#newSockets.perSecond = rules.maxNewPerSecond
    this.#capacity = capacityOf(rules.maxSockets, this.#files)
    this.#updateMaxConnections()
    if (this.#files) this.notes = notesOf(rules.maxSockets, this.#files, this.#capacity)
  }

  stop(): void {
    this.#probe.stop()
    this.#refusals.stop()
  }

  /**
   * Applies the limits to a port that does not listen yet. `refusal` returns the answer to a refused client, by status.
   */
  guard(server: Server, refusal: (status: number) => PlainAnswer): void {
    const port: Port = { server, sockets: 0 }
    this.#ports.push(port)
    const nodeListeners = server.listeners('connection')
    server.removeAllListeners('connection')
    const closed = (): void => this.#count(port, -1)
    server.on('connection', (socket: Socket) => {
      this.#count(port, 1)
      socket.on('close', closed)
      const reason = this.#checkNewSocket(socket)
      if (reason !== undefined)
        return this.#reject(socket, bytesOf(refusal(REFUSAL_STATUS[reason])))
      for (const listener of nodeListeners) listener.call(server, socket)
    })
    server.on('drop', () => this.#refusals.note(this.#capacity.reason))
  }

  /**
   * Counts a request that a trusted proxy forwarded for `address` until it is answered. Without `response` it is a new
   * WebSocket, and counts until its socket is closed. Returns the reason if it is refused.
   */
  enter(
    { socket }: IncomingMessage,
    address: string,
    response?: ServerResponse,
  ): Refusal | undefined {
    const { rules } = this
    if (!this.countsClients || !isProxied(socket, rules)) return undefined
    if (rules.isProxy(address) || rules.isBackend(address)) return undefined
    // No `close` event would follow to release it.
    if (socket.destroyed || response?.closed === true) return undefined
    const network = rules.networkOf(address)
    const release = this.#addresses.tryAcquire(network)
    if (!release) return this.#refuse('address', network)
    if (response === undefined && !this.#newSockets.tryAcquire()) {
      release()
      return this.#refuse('rate', network)
    }
    response?.once('close', release)
    // A response that waits behind others has no socket yet. If the connection breaks, it never emits `close`.
    if (!response?.socket) socket.once('close', release)
    return undefined
  }

  #count(port: Port, by: 1 | -1): void {
    port.sockets += by
    this.#sockets += by
    if (this.#ports.length > 1) this.#updateMaxConnections()
  }

  /** Above `maxConnections` sockets on a port, Node closes new ones as soon as they are accepted, and emits `drop`. */
  #updateMaxConnections(): void {
    const all = this.#capacity.most + this.#capacity.answered
    // 0 would mean no limit in Node 20.
    for (const { server, sockets } of this.#ports)
      server.maxConnections = all - (this.#sockets - sockets) || -1
  }

  /** Returns why a new socket is refused. The socket is counted already. */
  #checkNewSocket(socket: Socket): Refusal | undefined {
    const { most, reason } = this.#capacity
    if (this.#sockets - this.#rejected > most) return this.#refuse(reason)
    if (!this.countsClients) return undefined
    const { rules } = this
    const address = socket.remoteAddress
    // Without an address, it is a proxy at a Unix domain socket, or the client is already gone.
    if (address === undefined || rules.isProxy(address) || rules.isBackend(address))
      return undefined
    const network = rules.networkOf(address)
    const release = this.#addresses.tryAcquire(network)
    if (!release) return this.#refuse('address', network)
    socket.on('close', release)
    return this.#newSockets.tryAcquire() ? undefined : this.#refuse('rate', network)
  }

  #refuse(reason: Refusal, network?: string): Refusal {
    this.#refusals.note(reason, network)
    return reason
  }

  /**
   * Reads and discards the client's data: closing a socket with unread data resets it, and the client may lose the
   * answer.
   */
  #reject(socket: Socket, answer: string): void {
    const isAnswered = this.#rejected < this.#capacity.answered
    this.#rejected++
    const cancelTimer = isAnswered ? this.clock.after(ANSWER_MS, () => socket.destroy()) : undefined
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      this.#rejected--
      cancelTimer?.()
    })
    if (isAnswered) socket.resume().end(answer)
    else socket.destroy()
  }
}

const isProxied = (socket: Socket, rules: SocketRules): boolean =>
  isUnixPeer(socket) || rules.isProxy(socket.remoteAddress)

/** Returns how many sockets are possible, by the setting and the limit of open files. */
export function capacityOf(maxSockets: number, files: OpenFiles | undefined): Capacity {
  const wanted = maxSockets === 0 ? Infinity : maxSockets
  if (!files) return { most: wanted, answered: MAX_ANSWERED, reason: 'total' }
  const kept = Math.min(MAX_KEPT_FILES, Math.max(MIN_KEPT_FILES, files.limit >> 3))
  const answered = Math.max(1, Math.min(MAX_ANSWERED, files.limit >> 4))
  const room = Math.max(1, files.limit - files.used - kept - answered)
  return wanted <= room
    ? { most: wanted, answered, reason: 'total' }
    : { most: room, answered, reason: 'open_files' }
}

const RAISE = 'raise it (ulimit -n, LimitNOFILE)'

function notesOf(maxSockets: number, { limit }: OpenFiles, { most }: Capacity): readonly string[] {
  const lead = `the limit of open files is ${limit}, which leaves room for ${most} sockets`
  if (maxSockets > most) return [`max_sockets is ${maxSockets}, but ${lead}: ${RAISE}.`]
  return maxSockets === 0 && limit < LOW_FILES_LIMIT
    ? [`${lead}, one for each client: ${RAISE} if more are to come.`]
    : []
}
