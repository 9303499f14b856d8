import { Socket } from 'node:net'
import { Readable } from 'node:stream'
import type { Duplex } from 'node:stream'

/** Bytes read per turn of the event loop, from all paced sockets together. */
const TURN_BYTES = 32_768
/** Bytes that are passed on at a time. */
const PIECE_BYTES = 4096
/** The smallest reservation of a socket that resumes in a turn: even little data costs processing time. */
const MIN_RESERVED_BYTES = 64

const HELD = Symbol('held back')
const PAUSED = Symbol('paused by its reader')
const RESERVED = Symbol('bytes reserved for it')

interface Paced extends Socket {
  /** Whether it waits for a later turn. */
  [HELD]: boolean
  /** Whether its reader has paused it. */
  [PAUSED]: boolean
  /** Bytes reserved for it in this turn, whatever other sockets read. */
  [RESERVED]: number
}

let remaining = TURN_BYTES
/** The part of `remaining` that is reserved for sockets that resume in this turn. */
let reserved = 0
let isTurnScheduled = false
const waiting = new Set<Paced>()

/**
 * Limits how fast a socket is read from now on: all paced sockets together get `TURN_BYTES` per turn of the event loop.
 *
 * One read from the network returns up to 64 KiB, and there may be 32 reads in one turn. If that arrives as frames or
 * chunks of a few bytes, processing all of them takes a second. A second call for the same socket has no effect. The
 * socket of an HTTP server becomes slightly slower, because Node no longer passes its data straight to the parser.
 */
export function paceReading(socket: Duplex): void {
  if (HELD in socket) return
  const paced = socket as Paced
  paced[HELD] = false
  paced[PAUSED] = socket.isPaused()
  paced[RESERVED] = 0
  paced.push = pushInPieces
  paced.pause = pauseForReader
  paced.resume = resumeForReader
  // Runs before the readers' listeners: the budget that a piece uses up holds back the next piece, not this one.
  paced.prependListener('data', spend)
}

/** Like `paceReading`, for bytes that were read already and are to be read again. */
export function unshiftInPieces(socket: Duplex, bytes: Buffer): void {
  const last = Math.floor((bytes.length - 1) / PIECE_BYTES) * PIECE_BYTES
  for (let at = last; at >= 0; at -= PIECE_BYTES)
    socket.unshift(bytes.subarray(at, at + PIECE_BYTES))
}

function pushInPieces(this: Paced, chunk: unknown, encoding?: BufferEncoding): boolean {
  const push = (bytes: unknown): boolean => Readable.prototype.push.call(this, bytes, encoding)
  if (!Buffer.isBuffer(chunk)) return push(chunk)
  if (remaining <= reserved) hold(this)
  let wantsMore = true
  for (let at = 0; at < chunk.length && !this.destroyed; at += PIECE_BYTES)
    wantsMore = push(chunk.subarray(at, at + PIECE_BYTES))
  return wantsMore
}

function spend(this: Paced, piece: Buffer): void {
  reserved -= this[RESERVED]
  this[RESERVED] = 0
  remaining -= piece.length
  scheduleTurn()
  if (remaining <= reserved) hold(this)
}

function pauseForReader(this: Paced): Paced {
  this[PAUSED] = true
  return Socket.prototype.pause.call(this) as Paced
}

function resumeForReader(this: Paced): Paced {
  this[PAUSED] = false
  const paced = this[HELD] ? Socket.prototype.pause.call(this) : Socket.prototype.resume.call(this)
  return paced as Paced
}

function hold(socket: Paced): void {
  if (socket[HELD]) return
  socket[HELD] = true
  waiting.add(socket)
  scheduleTurn()
  Socket.prototype.pause.call(socket)
}

function scheduleTurn(): void {
  if (isTurnScheduled) return
  isTurnScheduled = true
  setImmediate(nextTurn)
}

function nextTurn(): void {
  isTurnScheduled = false
  remaining = TURN_BYTES
  reserved = 0
  for (const socket of waiting) {
    if (reserved >= TURN_BYTES) break
    waiting.delete(socket)
    resume(socket)
  }
  if (waiting.size > 0) scheduleTurn()
}

/** Resumes the socket. Its data arrives later in this turn. */
function resume(socket: Paced): void {
  socket[HELD] = false
  // `readableFlowing` is null after an upgrade: the new reader is not attached yet, and data would be lost.
  const canResume = !socket[PAUSED] && socket.readableFlowing === false
  if (!canResume || socket.destroyed) return
  const { readableLength } = socket
  socket[RESERVED] = readableLength === 0 ? 0 : clamped(readableLength)
  reserved += socket[RESERVED]
  Socket.prototype.resume.call(socket)
}

const clamped = (length: number): number =>
  Math.min(Math.max(length, MIN_RESERVED_BYTES), PIECE_BYTES)
