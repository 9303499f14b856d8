import { Socket } from 'node:net'
import { Readable } from 'node:stream'
import type { Duplex } from 'node:stream'

/** Bytes that are read in one turn of the event loop from all sockets together whose reading is paced. */
const TURN_BYTES = 32_768
/** What is handed on at a time. */
const PIECE_BYTES = 4096
/** What a socket counts at least that goes on in a turn: it may have little, but has to be looked at. */
const FEWEST_BYTES = 64

const HELD = Symbol('held back')
const PAUSED = Symbol('paused by its reader')
const PROMISED = Symbol('bytes that are set aside for it')

interface Paced extends Socket {
  /** Whether it waits for its turn. */
  [HELD]: boolean
  /** Whether whoever reads it wants nothing just now. */
  [PAUSED]: boolean
  /** What it may bring once more in this turn, whatever the others bring. */
  [PROMISED]: number
}

let left = TURN_BYTES
/** Of what is left, what is set aside for sockets that go on in this turn. */
let promised = 0
let isTurnAsked = false
const waiting = new Set<Paced>()

/**
 * From now on a socket is read little by little, all sockets of this kind together `TURN_BYTES` in each turn of the event loop.
 *
 * A read of the network brings up to 64 KiB, and there may be 32 of them in one turn. Cut into frames or chunks of a few bytes,
 * each of which is looked at, that takes a second. Harmless for a socket that is paced already. An HTTP server's socket is a
 * little slower afterwards, because Node no longer hands what it brings straight to the parser.
 */
export function paceReading(socket: Duplex): void {
  if (HELD in socket) return
  const paced = socket as Paced
  paced[HELD] = false
  paced[PAUSED] = socket.isPaused()
  paced[PROMISED] = 0
  paced.push = pushInPieces
  paced.pause = pauseForReader
  paced.resume = resumeForReader
  // Before those who read it: what it brings makes the turn over for the next one, and not for this piece.
  paced.prependListener('data', spend)
}

/** As `paceReading`, for what has been read already and is to be read once more. */
export function unshiftInPieces(socket: Duplex, bytes: Buffer): void {
  const last = Math.floor((bytes.length - 1) / PIECE_BYTES) * PIECE_BYTES
  for (let at = last; at >= 0; at -= PIECE_BYTES)
    socket.unshift(bytes.subarray(at, at + PIECE_BYTES))
}

function pushInPieces(this: Paced, chunk: unknown, encoding?: BufferEncoding): boolean {
  const push = (bytes: unknown): boolean => Readable.prototype.push.call(this, bytes, encoding)
  if (!Buffer.isBuffer(chunk)) return push(chunk)
  if (left <= promised) hold(this)
  let wantsMore = true
  for (let at = 0; at < chunk.length && !this.destroyed; at += PIECE_BYTES)
    wantsMore = push(chunk.subarray(at, at + PIECE_BYTES))
  return wantsMore
}

function spend(this: Paced, piece: Buffer): void {
  promised -= this[PROMISED]
  this[PROMISED] = 0
  left -= piece.length
  askForTurn()
  if (left <= promised) hold(this)
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
  askForTurn()
  Socket.prototype.pause.call(socket)
}

function askForTurn(): void {
  if (isTurnAsked) return
  isTurnAsked = true
  setImmediate(nextTurn)
}

function nextTurn(): void {
  isTurnAsked = false
  left = TURN_BYTES
  promised = 0
  for (const socket of waiting) {
    if (promised >= TURN_BYTES) break
    waiting.delete(socket)
    goOn(socket)
  }
  if (waiting.size > 0) askForTurn()
}

/** It brings what it has later in this turn. */
function goOn(socket: Paced): void {
  socket[HELD] = false
  // Null after an upgrade: whoever takes it over is not there yet, and what came would be lost.
  const isWanted = !socket[PAUSED] && socket.readableFlowing === false
  if (!isWanted || socket.destroyed) return
  const { readableLength } = socket
  socket[PROMISED] = readableLength === 0 ? 0 : bounded(readableLength)
  promised += socket[PROMISED]
  Socket.prototype.resume.call(socket)
}

const bounded = (length: number): number => Math.min(Math.max(length, FEWEST_BYTES), PIECE_BYTES)
