import { writevSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { FrameChain } from './frames.ts'
import type { FileHandle } from 'node:fs/promises'
import type { FrameKind } from './frames.ts'
import type { Payload } from './lines.ts'

/** Of private messages, nobody else should read them. */
const ONLY_FOR_OWNER = 0o600

/** Copied in a few microseconds. */
const SHORT_BYTES = 65_536

/** A data file that is being written. */
export class DataFile {
  readonly #chain = new FrameChain()
  #bytes = 0
  #syncedBytes = 0
  /** Syncs that are running. */
  #syncs = 0

  constructor(
    readonly path: string,
    private readonly handle: FileHandle,
  ) {}

  /** Creates the file, and replaces an older one. `head` says what it is. */
  static async create(path: string, head: object): Promise<DataFile> {
    const unused = await UnusedFile.create(path)
    try {
      return await unused.begin(head)
    } catch (error) {
      await unused.close()
      throw error
    }
  }

  /** What was written, without a frame that could not be written. */
  get bytes(): number {
    return this.#bytes
  }

  get isSynced(): boolean {
    return this.#syncedBytes === this.#bytes
  }

  /** Makes the next frame. Frames must be written in the order in which they were made. */
  frame(kind: FrameKind, chunks: readonly Buffer[]): Buffer[] {
    return this.#chain.next(kind, chunks)
  }

  frameOf({ chunks, isExact }: Payload): Buffer[] {
    return this.frame(isExact ? 'x' : '-', chunks)
  }

  /**
   * Writes a short frame without a detour through another thread, which would take three times as long. Not while the
   * file is being synced: then writing may take as long as that. Returns false if the frame has to be written with
   * `write`, which also tells what is wrong.
   */
  writeNow(frame: readonly Buffer[]): boolean {
    const length = lengthOf(frame)
    if (this.#syncs > 0 || length > SHORT_BYTES) return false
    try {
      if (writevSync(this.handle.fd, frame, this.#bytes) < length) return false
    } catch {
      return false
    }
    this.#bytes += length
    return true
  }

  /** Rejects if not everything could be written, for example because the disk is full. It can be repeated then. */
  async write(frame: readonly Buffer[]): Promise<void> {
    const length = lengthOf(frame)
    const { bytesWritten } = await this.handle.writev(frame, this.#bytes)
    // The system may write less than it was given. What is missing tells why.
    if (bytesWritten < length) await this.#writeRest(Buffer.concat(frame), bytesWritten)
    this.#bytes += length
  }

  async #writeRest(frame: Buffer, written: number): Promise<void> {
    for (let done = written; done < frame.length;) {
      const position = this.#bytes + done
      const { bytesWritten } = await this.handle.write(frame, done, frame.length - done, position)
      if (bytesWritten === 0) throw new Error('nothing was written')
      done += bytesWritten
    }
  }

  /** Resolves when everything that was written is on the disk, even if the power fails. */
  async sync(): Promise<void> {
    const { bytes } = this
    if (this.#syncedBytes === bytes) return
    this.#syncs++
    try {
      await this.handle.datasync()
    } finally {
      this.#syncs--
    }
    this.#syncedBytes = Math.max(this.#syncedBytes, bytes)
  }

  /** Writes the end, syncs and closes. */
  async end(): Promise<void> {
    await this.write(this.frame('e', []))
    await this.sync()
    await this.close()
  }

  async close(): Promise<void> {
    await this.handle.close()
  }
}

/** A data file without a head: for a reader it is not there, see `isUnused`. */
export class UnusedFile {
  private constructor(
    readonly path: string,
    private readonly handle: FileHandle,
  ) {}

  static async create(path: string): Promise<UnusedFile> {
    return new UnusedFile(path, await open(path, 'w', ONLY_FOR_OWNER))
  }

  /** Writes what the file is. May be called again after it has failed. */
  async begin(head: object): Promise<DataFile> {
    const file = new DataFile(this.path, this.handle)
    await file.write(file.frame('h', [Buffer.from(JSON.stringify(head))]))
    return file
  }

  async close(): Promise<void> {
    await this.handle.close()
  }
}

const lengthOf = (frame: readonly Buffer[]): number =>
  frame.reduce((sum, { length }) => sum + length, 0)
