import { rm } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { turnTimer, type Committer, type SyncMode } from './committer.ts'
import { LineWriter } from './lines.ts'
import type { DataFile } from './data-file.ts'
import type { Directory } from './directory.ts'

/** How long a step encodes before other work gets its turn. */
const STEP_MS = 2
/** After a compaction that failed. */
const PAUSE_MS = 60_000

export interface CompactorDeps {
  readonly directory: Directory
  readonly committer: Committer
  readonly epoch: string
  readonly sync: SyncMode
  readonly now: () => number
  /** Logs that are shorter are not worth it. */
  readonly minLogBytes: number
  /** Writes everything. */
  readonly writeState: (lines: LineWriter) => Generator<void, void>
  readonly onFault: (error: unknown) => void
}

export interface FileSizes {
  /** Of the newest state. */
  stateBytes: number
  /** Of the logs since, without the one that is being written. */
  logBytes: number
}

/**
 * Writes a new state when the logs have become longer than the last one, so that the files stay within a multiple of what is
 * kept. A new log begins first. The state is written while changes go on; the log has them as well.
 */
export class Compactor {
  #running: Promise<void> | undefined
  #isStopping = false
  #notBefore = 0

  constructor(
    private readonly deps: CompactorDeps,
    private number: number,
    readonly sizes: FileSizes,
  ) {}

  get logBytes(): number {
    return this.sizes.logBytes + this.deps.committer.file.bytes
  }

  /** Of all files, without a state that is being written. */
  get bytes(): number {
    return this.sizes.stateBytes + this.logBytes
  }

  /** To be called after each commit. */
  runIfDue(): void {
    if (this.logBytes < Math.max(this.deps.minLogBytes, this.sizes.stateBytes)) return
    if (this.#running || this.#isStopping || this.deps.now() < this.#notBefore) return
    this.compact().catch((error: unknown) => {
      this.#notBefore = this.deps.now() + PAUSE_MS
      if (!this.#isStopping) this.deps.onFault(error)
    })
  }

  /** Writes the state now, or joins a compaction that is running. Rejects if it fails: then the former files stay in force. */
  compact(): Promise<void> {
    return (this.#running ??= this.#run().finally(() => (this.#running = undefined)))
  }

  /** Ends a compaction that is running, with its next step. */
  stop(): void {
    this.#isStopping = true
  }

  /** Resolves when none is running. */
  async stopped(): Promise<void> {
    await this.#running?.catch(() => {})
  }

  async #run(): Promise<void> {
    const { directory, committer } = this.deps
    const number = this.number + 1
    const former = committer.file
    // Once the former log has its end, there is no way back. So what may fail comes before.
    const log = await directory.prepareLog(number)
    try {
      await committer.switchTo(() => log.begin(this.deps))
    } finally {
      await log.done()
    }
    this.number = number
    this.sizes.logBytes += former.bytes
    const file = await directory.createState(number, this.deps)
    try {
      await this.#write(file)
      // The state may have parts of changes. The log must have them whole.
      await committer.barrier()
      await file.end()
    } catch (error) {
      await file.close()
      await rm(file.path, { force: true })
      throw error
    }
    await directory.adopt(number)
    this.sizes.stateBytes = file.bytes
    this.sizes.logBytes = 0
  }

  async #write(file: DataFile): Promise<void> {
    const lines = new LineWriter()
    const steps = this.deps.writeState(lines)
    for (let isDone = false; !isDone;) {
      const isOver = turnTimer(STEP_MS)
      while (!isDone && !isOver()) isDone = steps.next().done === true
      if (this.#isStopping) throw new Error('the server stops')
      if (!lines.isEmpty) await file.write(file.frameOf(lines.take()))
      await setImmediate()
    }
  }
}
