/**
 * Writes some of the bytes without blocking the process. In a later turn, calls `done` with the number of bytes, or
 * with an error.
 */
export type WriteSome = (
  bytes: Buffer,
  done: (error: NodeJS.ErrnoException | null, written: number) => void,
) => void

export interface OutputOptions {
  /** Bytes that may be queued. Further text is dropped and counted. */
  readonly maxBytes: number
  /** Returns the line that replaces dropped lines. */
  readonly notice: (dropped: number) => string
}

/** Lines are joined into writes of about this size, which is the capacity of an empty pipe. */
const CHUNK_BYTES = 65_536
/** For a stopped terminal, which continues when somebody presses a key. */
const BUSY_RETRY_MS = 20
/** For a full disk, or a pipe without a reader. */
const FAULT_RETRY_MS = 500

/**
 * Writes lines to a file descriptor that may be full, slow, stopped or gone.
 *
 * Writing never blocks and never throws. A failed write is retried until it succeeds. Meanwhile lines are queued.
 * Beyond `maxBytes` they are dropped until half of the queue is free again; then a notice says how many are missing.
 */
export class Output {
  readonly #waiting: string[] = []
  /** Of `#waiting` and `#chunk`. */
  #bytes = 0
  #chunk: Buffer | undefined
  #isWriting = false
  #retry: NodeJS.Timeout | undefined
  #droppedNow = 0
  #dropped = 0
  readonly #flushed = new Set<() => void>()

  constructor(
    private readonly writeSome: WriteSome,
    private readonly options: OutputOptions,
  ) {}

  /** Lines dropped since the start. */
  get dropped(): number {
    return this.#dropped
  }

  /** Writes one or more lines, each with its line break. */
  write(text: string): void {
    const bytes = Buffer.byteLength(text)
    if (this.#droppedNow > 0 || this.#bytes + bytes > this.options.maxBytes) {
      this.#droppedNow++
      this.#dropped++
      // Happens if one line is longer than the whole queue.
      if (this.#bytes === 0) this.#writeNotice()
      return
    }
    this.#waiting.push(text)
    this.#bytes += bytes
    if (!this.#isWriting && this.#retry === undefined) this.#writeNext()
  }

  /** Resolves when all lines are written, or after `withinMs`. */
  async flush(withinMs: number): Promise<void> {
    if (this.#retry !== undefined) this.#writeNext() // now instead of after the delay
    if (this.#bytes === 0) return
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        this.#flushed.delete(done)
        resolve()
      }
      const timer = setTimeout(done, withinMs)
      this.#flushed.add(done)
    })
  }

  #writeNext(): void {
    clearTimeout(this.#retry)
    this.#retry = undefined
    const chunk = (this.#chunk ??= this.#takeChunk())
    if (chunk === undefined) {
      this.#isWriting = false
      for (const done of this.#flushed) done()
      return
    }
    this.#isWriting = true
    this.writeSome(chunk, (error, written) => {
      if (error) this.#writeLater(error.code === 'EAGAIN' ? BUSY_RETRY_MS : FAULT_RETRY_MS)
      else if (written === 0) this.#writeLater(BUSY_RETRY_MS)
      else {
        this.#bytes -= written
        this.#chunk = written < chunk.length ? chunk.subarray(written) : undefined
        this.#writeNotice()
        this.#writeNext()
      }
    })
  }

  #writeLater(delayMs: number): void {
    this.#isWriting = false
    this.#retry = setTimeout(() => this.#writeNext(), delayMs).unref()
  }

  #takeChunk(): Buffer | undefined {
    let length = 0
    let count = 0
    while (count < this.#waiting.length && length < CHUNK_BYTES)
      length += this.#waiting[count++]?.length ?? 0
    return count === 0 ? undefined : Buffer.from(this.#waiting.splice(0, count).join(''))
  }

  #writeNotice(): void {
    if (this.#droppedNow === 0 || this.#bytes > this.options.maxBytes / 2) return
    const notice = this.options.notice(this.#droppedNow)
    this.#droppedNow = 0
    this.write(notice)
  }
}
