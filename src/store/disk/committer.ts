import { performance } from 'node:perf_hooks'
import { LineWriter } from './lines.ts'
import type { ChangeSet } from './change-set.ts'
import type { DataFile } from './data-file.ts'
import type { RecordLines } from './record-lines.ts'

/** `commit`: before a change is answered. `interval`: every second. `off`: when the system chooses. */
export type SyncMode = 'commit' | 'interval' | 'off'

/** How long changes are encoded in one event-loop turn. */
const TURN_MS = 5
/** After a failed write. */
const RETRY_MS = 500

/** `isFinal`: until the server is restarted. */
export type OnAway = (error: unknown, isFinal: boolean) => void

export interface CommitterDeps {
  readonly changes: ChangeSet
  readonly records: RecordLines
  readonly sync: SyncMode
  /** Called when changes cannot be written, and when they can again. */
  readonly onAway: OnAway
  readonly onBack: () => void
  /** Called after each commit. */
  readonly onCommit: () => void
  readonly onFault: (error: unknown) => void
}

/** The changes of one or more event-loop turns, which are committed together. */
class Group {
  readonly committed: Promise<void>
  resolve!: () => void
  reject!: (reason: unknown) => void
  readonly held: (() => void)[] = []

  constructor() {
    this.committed = new Promise(
      (resolve, reject) => ([this.resolve, this.reject] = [resolve, reject]),
    )
    // Perhaps nobody waits.
    this.committed.catch(() => {})
  }
}

interface Frame {
  readonly file: DataFile
  readonly buffers: readonly Buffer[]
  readonly group: Group
  /** The number of the newest event in it. */
  readonly head: number
  /** It ends the file. */
  readonly isEnd: boolean
  isWritten?: boolean
}

/** A file for the next frames. */
interface Switch {
  /** May be called again after it has failed. */
  readonly create: () => Promise<DataFile>
  readonly onSwitched: () => void
}

/**
 * Commits changes: encodes what has changed at the end of the turn, writes it as one frame, and lets those go on that
 * wait for it. While a frame is being written, changes gather for the next one.
 */
export class Committer {
  #file: DataFile
  #head: number
  #switch: Switch | undefined
  #lines = new LineWriter()
  #group = new Group()
  /** The frame that is being written, or that could not be written. */
  #frame: Frame | undefined
  #isScheduled = false
  #error: unknown
  #isFinal = false
  #writing: Promise<void> = Promise.resolve()
  #retry: NodeJS.Timeout | undefined

  constructor(
    private readonly deps: CommitterDeps,
    file: DataFile,
  ) {
    this.#file = file
    this.#head = deps.records.tables.log.head
  }

  /** The number of the newest event that is committed. */
  get head(): number {
    return this.#head
  }

  get file(): DataFile {
    return this.#file
  }

  /** Why changes cannot be written. Undefined: they can. */
  get error(): unknown {
    return this.#error
  }

  /** To be called with the first change after everything was written. */
  changed(): void {
    if (!this.#isScheduled && !this.#frame) this.#schedule()
  }

  /** Resolves when all changes so far are committed, and rejects if that fails. Undefined: they are. */
  pending(): Promise<void> | undefined {
    if (!this.deps.changes.isEmpty) return this.#group.committed
    return this.#frame?.group.committed
  }

  /** Runs the task when all changes so far are committed, in the order of calls. At once if they are. */
  afterCommit(task: () => void): void {
    if (!this.deps.changes.isEmpty) this.#group.held.push(task)
    else if (this.#frame) this.#frame.group.held.push(task)
    else task()
  }

  /** Ends the file, creates another one, and writes later frames to it. */
  switchTo(create: () => Promise<DataFile>): Promise<void> {
    return new Promise((resolve) => {
      this.#switch = { create, onSwitched: resolve }
      if (!this.#isScheduled) this.#next()
    })
  }

  /** Resolves when all changes so far are on the disk, even if the power fails. Rejects if they cannot be written. */
  async barrier(): Promise<void> {
    this.#checkError()
    await this.pending()
    try {
      await this.#file.sync()
    } catch (error) {
      this.#refuse(error, true)
      throw error
    }
  }

  /** Syncs what was written so far. Never rejects. */
  async sync(): Promise<void> {
    try {
      await this.#file.sync()
    } catch (error) {
      this.#refuse(error, true)
    }
  }

  /** Writes what is left. Rejects if that fails. */
  async drain(): Promise<void> {
    clearTimeout(this.#retry)
    await this.#writing
    clearTimeout(this.#retry)
    if (this.#error !== undefined && this.#frame) this.#begin(this.#frame)
    await this.#writing
    clearTimeout(this.#retry)
    this.#checkError()
    for (let left = this.pending(); left; left = this.pending()) await left
  }

  #checkError(): void {
    if (this.#error !== undefined)
      throw new Error('changes cannot be written', { cause: this.#error })
  }

  #schedule(): void {
    this.#isScheduled = true
    setImmediate(this.#turn)
  }

  readonly #turn = (): void => {
    this.#isScheduled = false
    if (this.#frame) return // `#next` follows
    if (!this.deps.changes.write(this.deps.records, this.#lines, turnTimer()))
      return this.#schedule()
    const group = this.#group
    this.#group = new Group()
    const file = this.#file
    const { head } = this.deps.records.tables.log
    this.#begin({ file, buffers: file.frameOf(this.#lines.take()), group, head, isEnd: false })
  }

  #begin(frame: Frame): void {
    this.#frame = frame
    this.#writing = this.#write(frame)
  }

  /** Never rejects. */
  async #write(frame: Frame): Promise<void> {
    try {
      await this.#toDisk(frame)
      if (frame.isEnd) await this.#doSwitch(frame.file)
    } catch (error) {
      return this.#failed(frame, error)
    }
    this.#committed(frame)
  }

  async #toDisk(frame: Frame): Promise<void> {
    const { file, buffers } = frame
    if (!frame.isWritten && !file.writeNow(buffers)) await file.write(buffers)
    frame.isWritten = true
    if (!frame.isEnd && this.deps.sync !== 'commit') return
    try {
      await frame.file.sync()
    } catch (error) {
      this.#refuse(error, true)
      throw error
    }
  }

  async #doSwitch(former: DataFile): Promise<void> {
    if (!this.#switch) return
    const { create, onSwitched } = this.#switch
    this.#file = await create()
    this.#switch = undefined
    await former.close()
    onSwitched()
  }

  #failed(frame: Frame, error: unknown): void {
    this.#refuse(error, false)
    frame.group.reject(error)
    this.#rejectWaiting(error)
    if (this.#isFinal) return
    this.#retry = setTimeout(() => this.#begin(frame), RETRY_MS)
    this.#retry.unref()
  }

  /** Those who wait for the next frame learn of the failure too. What is to be announced after it stays. */
  #rejectWaiting(error: unknown): void {
    const { held, reject } = this.#group
    this.#group = new Group()
    this.#group.held.push(...held)
    reject(error)
  }

  /** `isFinal`: after a failed sync it is unknown what is on the disk. Another one might succeed although data is lost. */
  #refuse(error: unknown, isFinal: boolean): void {
    const isNew = this.#error === undefined
    this.#error = error
    this.#isFinal ||= isFinal
    if (isNew) this.deps.onAway(error, this.#isFinal)
  }

  #committed({ group, head }: Frame): void {
    this.#head = head
    const wasAway = this.#error !== undefined && !this.#isFinal
    if (wasAway) this.#error = undefined
    this.#frame = undefined
    if (wasAway) this.deps.onBack()
    for (const task of group.held) this.#run(task)
    group.resolve()
    this.#run(this.deps.onCommit)
    this.#next()
  }

  #run(task: () => void): void {
    try {
      task()
    } catch (error) {
      this.deps.onFault(error)
    }
  }

  /** Does what is next, unless something is being written. */
  #next(): void {
    // What is scheduled has to be in the file before the frame that ends it.
    if (this.#frame || this.#isScheduled) return
    const file = this.#file
    if (this.#switch && this.#lines.isEmpty)
      this.#begin({
        ...{ file, group: new Group(), head: this.#head, isEnd: true },
        buffers: file.frame('e', []),
      })
    else if (!this.deps.changes.isEmpty) this.#turn()
  }
}

/** Tells when the turn is over. */
export function turnTimer(turnMs = TURN_MS): () => boolean {
  const until = performance.now() + turnMs
  return () => performance.now() > until
}
