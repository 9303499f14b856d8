/**
 * Frames: the atomic units of data files. A frame is a head, the payload, and a line feed:
 *
 * `#<checksum> <bytes of the payload> <kind>\n<payload>\n`
 *
 * The checksum is a CRC-32 of everything before it in the file, and of this frame. So a frame that was changed, cut,
 * lost, repeated or moved does not match.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { crc32 } from 'node:zlib'

/** `-`: lines, `x`: lines with exact numbers, `h`: the head of the file, `e`: the end of the file. */
export type FrameKind = '-' | 'x' | 'h' | 'e'

const HEAD = /^#([0-9a-f]{8}) (\d{1,12}) ([-xhe])$/
const MAX_HEAD_BYTES = 32
const LINE_FEED = Buffer.from('\n')

/** Makes the frames of a file, in order. */
export class FrameChain {
  #checksum = 0

  next(kind: FrameKind, chunks: readonly Buffer[]): Buffer[] {
    const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    this.#checksum = checksumOf(this.#checksum, `${length} ${kind}`, chunks)
    const checksum = this.#checksum.toString(16).padStart(8, '0')
    return [Buffer.from(`#${checksum} ${length} ${kind}\n`), ...chunks, LINE_FEED]
  }
}

function checksumOf(before: number, head: string, chunks: readonly Buffer[]): number {
  return chunks.reduce((checksum, chunk) => crc32(chunk, checksum), crc32(head, before))
}

export interface Frame {
  readonly kind: FrameKind
  readonly payload: Buffer
}

/** How a file ends after its last good frame. `cut`: in the middle of a frame. `damaged`: by something else. */
export type Rest = 'nothing' | 'cut' | 'damaged'

export interface ReadFile {
  /** The length of the good frames. */
  readonly goodBytes: number
  readonly bytes: number
  readonly rest: Rest
  /** The last frame is the end of the file. */
  readonly isEnded: boolean
}

/** Calls `onFrame` for each frame, up to the first that is not good. */
export function readFrames(path: string, onFrame: (frame: Frame) => void): ReadFile {
  const input = new Input(path)
  try {
    let [checksum, isEnded] = [0, false]
    for (;;) {
      const goodBytes = input.position
      const next = nextFrame(input, checksum)
      if (typeof next === 'string') return { goodBytes, bytes: input.size, rest: next, isEnded }
      checksum = next.checksum
      isEnded = next.frame.kind === 'e'
      onFrame(next.frame)
    }
  } finally {
    input.close()
  }
}

function nextFrame(input: Input, before: number): Rest | { frame: Frame; checksum: number } {
  if (input.left === 0) return 'nothing'
  const start = input.peek(Math.min(MAX_HEAD_BYTES, input.left)).toString('latin1')
  const end = start.indexOf('\n')
  if (end < 0) return input.left < MAX_HEAD_BYTES && start.startsWith('#') ? 'cut' : 'damaged'
  const match = HEAD.exec(start.slice(0, end))
  if (!match) return 'damaged'
  const [, given, digits, kind] = match as unknown as [string, string, string, FrameKind]
  const length = Number(digits)
  const frameBytes = end + 1 + length + 1
  if (frameBytes > input.left) return 'cut'
  const bytes = input.take(frameBytes)
  const payload = bytes.subarray(end + 1, frameBytes - 1)
  const checksum = checksumOf(before, `${length} ${kind}`, [payload])
  const isGood = checksum === parseInt(given, 16) && bytes[frameBytes - 1] === LINE_FEED[0]
  return isGood ? { frame: { kind, payload }, checksum } : 'damaged'
}

const BLOCK_BYTES = 1024 * 1024
/** A part of this size or more is read into memory of its own, and not copied again by those who keep it. */
const LARGE_BYTES = 65_536

/** Reads a file in blocks. */
class Input {
  readonly size: number
  /** How far it was taken. */
  position = 0
  readonly #fd: number
  #buffer = Buffer.alloc(0)

  constructor(path: string) {
    this.#fd = openSync(path, 'r')
    this.size = fstatSync(this.#fd).size
  }

  get left(): number {
    return this.size - this.position
  }

  peek(length: number): Buffer {
    while (this.#buffer.length < length) this.#fill(length)
    return this.#buffer.subarray(0, length)
  }

  take(length: number): Buffer {
    const taken = length < LARGE_BYTES ? this.peek(length) : this.#read(length)
    this.#buffer = this.#buffer.subarray(length)
    this.position += length
    return taken
  }

  close(): void {
    closeSync(this.#fd)
  }

  #fill(length: number): void {
    const block = Buffer.allocUnsafe(Math.max(BLOCK_BYTES, length))
    const have = this.#buffer.copy(block)
    this.#buffer = block.subarray(0, have + this.#readInto(block, have))
  }

  #read(length: number): Buffer {
    const block = Buffer.allocUnsafe(length)
    for (let have = this.#buffer.copy(block); have < length;) have += this.#readInto(block, have)
    return block
  }

  /** Reads what follows the `have` bytes that the block has. Returns how many bytes came. */
  #readInto(block: Buffer, have: number): number {
    const read = readSync(this.#fd, block, have, block.length - have, this.position + have)
    if (read === 0) throw new Error('a data file became shorter while it was read')
    return read
  }
}
