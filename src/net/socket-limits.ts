import { bytesOf } from './answers.ts'
import { FileProbe, readOpenFiles } from './open-files.ts'
import { Places, Rate } from './places.ts'
import { Refusals } from './refusals.ts'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Clock } from '../lib/clock.ts'
import type { PlainAnswer } from './answers.ts'
import type { OpenFiles } from './open-files.ts'
import type { NetLog, Refusal, RefusalCounts } from './refusals.ts'

export interface SocketRules {
  /** Sockets of all ports together; 0 for as many as the limit of open files allows. */
  readonly maxSockets: number
  /** 0 for no limit. */
  readonly maxPerAddress: number
  /** 0 for no limit. */
  readonly maxNewPerSecond: number
  /** Whether sockets from there are a proxy's, who passes on requests of others. */
  readonly isProxy: (address: string | undefined) => boolean
  /** Whether sockets from there are a backend's, which is not limited by its address. */
  readonly isBackend: (address: string | undefined) => boolean
  /** What counts as one address. */
  readonly networkOf: (address: string) => string
}

export interface SocketFigures {
  readonly open: number
  /** Infinity if nothing limits them. */
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

/** After so many seconds a refused client should try again. */
export const REFUSED_RETRY_SECONDS = 5

/** Refused sockets that are answered at a time. The others are closed at once. */
const MAX_ANSWERED = 16
/** How long a refused client has to read its answer. */
const ANSWER_MS = 1_000
/** File descriptors that are kept for other things: files, Redis, standard streams that are opened again. */
const MAX_KEPT_FILES = 64
const MIN_KEPT_FILES = 8
/** Fewer are too few for a server of this kind. */
const LOW_FILES_LIMIT = 4096

interface Port {
  readonly server: Server
  /** Accepted and not closed yet, with those that are turned away. */
  sockets: number
}

interface Capacity {
  /** Sockets that are served at a time. */
  readonly most: number
  /** Sockets beside these that may wait for the client to read that it is refused. */
  readonly answered: number
  readonly reason: 'total' | 'open_files'
}

/**
 * Limits the sockets of all ports of a server: how many are open, how many of one address, how many come in a second.
 *
 * A client that comes directly is counted from the moment in which its socket is accepted to that in which it is closed. A
 * proxy's sockets are limited in total only; what counts by address are the requests and WebSockets that it passes on.
 */
export class SocketLimits {
  readonly #ports: Port[] = []
  readonly #places: Places
  readonly #rate: Rate
  readonly #refusals: Refusals
  readonly #probe: FileProbe
  #capacity: Capacity
  /** Sentences about this machine that its operator should know. Empty before the start. */
  notes: readonly string[] = []
  #sockets = 0
  #turnedAway = 0

  constructor(
    private readonly rules: SocketRules,
    private readonly clock: Clock,
    log: NetLog,
  ) {
    this.#places = new Places(rules.maxPerAddress)
    this.#rate = new Rate(rules.maxNewPerSecond, clock)
    this.#refusals = new Refusals(clock, log)
    this.#probe = new FileProbe(clock, log)
    this.#capacity = capacityOf(rules.maxSockets, undefined)
  }

  get figures(): SocketFigures {
    return {
      open: this.#sockets - this.#turnedAway,
      most: this.#capacity.most,
      refused: this.#refusals.counts,
      isOutOfFiles: this.#probe.isExhausted,
    }
  }

  /** Addresses that hold a place now; 0 without a limit by address. */
  get addresses(): number {
    return this.#places.size
  }

  /** Whether requests that a proxy passes on have to be handed to {@link enter}. */
  get countsClients(): boolean {
    return this.rules.maxPerAddress > 0 || this.rules.maxNewPerSecond > 0
  }

  /** Finds out how many files may be open. To be called before a port listens. */
  start(): void {
    const files = readOpenFiles()
    this.#capacity = capacityOf(this.rules.maxSockets, files)
    this.#share()
    this.#probe.start()
    if (files) this.notes = notesOf(this.rules.maxSockets, files, this.#capacity)
  }

  stop(): void {
    this.#probe.stop()
    this.#refusals.stop()
  }

  /** Guards a port that does not listen yet. `refusal`: the answer to a client that is refused, by its status. */
  guard(server: Server, refusal: (status: number) => PlainAnswer): void {
    const port: Port = { server, sockets: 0 }
    this.#ports.push(port)
    const serve = server.listeners('connection')
    server.removeAllListeners('connection')
    const closed = (): void => this.#count(port, -1)
    server.on('connection', (socket: Socket) => {
      this.#count(port, 1)
      socket.on('close', closed)
      const reason = this.#judge(socket)
      if (reason !== undefined)
        return this.#turnAway(socket, bytesOf(refusal(REFUSAL_STATUS[reason])))
      for (const listener of serve) listener.call(server, socket)
    })
    server.on('drop', () => this.#refusals.note(this.#capacity.reason))
  }

  /**
   * Counts a request that a trusted proxy passed on for `address`, until it is answered; without `response` it is a new
   * WebSocket, and counts until its socket is closed. Returns why it is refused.
   */
  enter(
    { socket }: IncomingMessage,
    address: string,
    response?: ServerResponse,
  ): Refusal | undefined {
    const { rules } = this
    if (!this.countsClients || !rules.isProxy(socket.remoteAddress)) return undefined
    if (rules.isProxy(address) || rules.isBackend(address)) return undefined
    // Nothing would tell when it leaves.
    if (socket.destroyed || response?.closed === true) return undefined
    const network = rules.networkOf(address)
    if (!this.#places.take(network)) return this.#refuse('address', network)
    const leave = once(() => this.#places.leave(network))
    if (response === undefined && !this.#rate.pass()) {
      leave()
      return this.#refuse('rate', network)
    }
    response?.once('close', leave)
    // An answer that waits behind others has no socket yet, and is never closed if that breaks.
    if (!response?.socket) socket.once('close', leave)
    return undefined
  }

  #count(port: Port, by: 1 | -1): void {
    port.sockets += by
    this.#sockets += by
    if (this.#ports.length > 1) this.#share()
  }

  /** Past that many sockets of a port Node closes new ones as soon as they are accepted, and emits `drop`. */
  #share(): void {
    const all = this.#capacity.most + this.#capacity.answered
    if (all === Infinity) return
    // 0 would mean no limit.
    for (const { server, sockets } of this.#ports)
      server.maxConnections = all - (this.#sockets - sockets) || -1
  }

  /** Why a new socket, which is counted already, is refused. */
  #judge(socket: Socket): Refusal | undefined {
    const { most, reason } = this.#capacity
    if (this.#sockets - this.#turnedAway > most) return this.#refuse(reason)
    if (!this.countsClients) return undefined
    const { rules } = this
    const address = socket.remoteAddress
    // Without an address the client has gone already.
    if (address === undefined || rules.isProxy(address) || rules.isBackend(address))
      return undefined
    const network = rules.networkOf(address)
    if (!this.#places.take(network)) return this.#refuse('address', network)
    socket.on('close', () => this.#places.leave(network))
    return this.#rate.pass() ? undefined : this.#refuse('rate', network)
  }

  #refuse(reason: Refusal, network?: string): Refusal {
    this.#refusals.note(reason, network)
    return reason
  }

  /** What it sends is read and dropped: a socket that is closed with unread bytes in it takes the answer back. */
  #turnAway(socket: Socket, answer: string): void {
    const isAnswered = this.#turnedAway < this.#capacity.answered
    this.#turnedAway++
    const cancelCut = isAnswered ? this.clock.after(ANSWER_MS, () => socket.destroy()) : undefined
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      this.#turnedAway--
      cancelCut?.()
    })
    if (isAnswered) socket.resume().end(answer)
    else socket.destroy()
  }
}

function once(task: () => void): () => void {
  let isDone = false
  return () => {
    if (!isDone) task()
    isDone = true
  }
}

/** How many sockets there may be, by the setting and by the files that may be open. */
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
