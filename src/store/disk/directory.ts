import { existsSync, readdirSync } from 'node:fs'
import { copyFile, open, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { VERSION } from '../../version.ts'
import { bootId } from './boot.ts'
import { DataDirError } from './data-dir-error.ts'
import { DataFile, UnusedFile } from './data-file.ts'
import type { FileHandle } from 'node:fs/promises'
import type { SyncMode } from './committer.ts'

/** Of the data files. A newer version that cannot be read by this one has a larger number. */
export const FORMAT = 1

/** The first frame of a data file. */
export interface FileHead {
  readonly format: number
  readonly version: string
  readonly epoch: string
  /** What the machine was started as, and when changes were synced: see `mayHaveLost`. */
  readonly boot: string
  readonly sync: SyncMode
  /** Of a log: the length of the log before it, if that one has no end because its process was killed. */
  readonly previousBytes?: number | undefined
  /** Of a log that begins with a start of the server. */
  readonly start?: StartFacts | undefined
}

/** What the server knew at a start. */
export interface StartFacts {
  /** When it was, in milliseconds since 1970. */
  readonly wallTime: number
  /** Events up to this number may be lost, because the machine failed, or because the files are a copy. 0: none. */
  readonly lostThrough: number
}

type LogFacts = Pick<FileHead, 'epoch' | 'sync' | 'previousBytes' | 'start'>

export type FileKind = 'log' | 'state'
const NAME = /^(log|state)-(\d{8})$/
/** A file that operators create. */
const RESTORED = 'restored'
const UNFINISHED = /^state-\d{8}\.new$/

export interface FoundFiles {
  /** Numbers, ascending. */
  readonly logs: readonly number[]
  readonly states: readonly number[]
}

/**
 * The files of a data directory. `state-<n>` has everything up to the beginning of `log-<n>`; the logs from there on
 * have the changes since. Each start begins a new log.
 */
export class Directory {
  constructor(readonly path: string) {}

  async make(): Promise<void> {
    try {
      await mkdir(this.path, { recursive: true, mode: 0o700 })
    } catch (error) {
      throw new DataDirError(`data_dir: ${this.path} cannot be used: ${(error as Error).message}`, {
        cause: error,
      })
    }
  }

  /** Removes states whose writing was broken off. Only for who holds the directory. */
  async removeUnfinished(): Promise<void> {
    const unfinished = this.#names().filter((name) => UNFINISHED.test(name))
    await removeFiles(unfinished.map((name) => join(this.path, name)))
  }

  /** An import was killed. No server has used the directory before: it begins with a log. */
  get hasBrokenImport(): boolean {
    const { logs, states } = this.files()
    return logs.length + states.length === 0 && this.#names().some((name) => UNFINISHED.test(name))
  }

  /** An operator says that this is a copy: the server may have gone on after it was made. */
  get isRestored(): boolean {
    return this.#names().includes(RESTORED)
  }

  /** Says so, as an operator does. When it resolves, that is on the disk. */
  async markRestored(): Promise<void> {
    await writeFile(join(this.path, RESTORED), '')
    await this.sync()
  }

  /** To be called when that is known to the log. */
  async forgetRestored(): Promise<void> {
    await removeFiles([join(this.path, RESTORED)])
  }

  files(): FoundFiles {
    return { logs: this.#numbers('log'), states: this.#numbers('state') }
  }

  pathOf(kind: FileKind, number: number): string {
    return join(this.path, `${kind}-${String(number).padStart(8, '0')}`)
  }

  /** Creates a file that is on the disk when this resolves. */
  async createLog(number: number, facts: LogFacts): Promise<DataFile> {
    const log = await this.prepareLog(number)
    try {
      return await log.begin(facts)
    } catch (error) {
      await log.discard()
      throw error
    } finally {
      await log.done()
    }
  }

  /** Opens everything that a new log needs. Nothing is in it yet. */
  async prepareLog(number: number): Promise<PreparedLog> {
    const directory = await open(this.path, 'r')
    try {
      return new PreparedLog(await UnusedFile.create(this.pathOf('log', number)), directory)
    } catch (error) {
      await directory.close()
      throw error
    }
  }

  createState(number: number, { epoch, sync }: LogFacts): Promise<DataFile> {
    return DataFile.create(`${this.pathOf('state', number)}.new`, headOf(epoch, sync))
  }

  /** Puts a complete state in force, and removes the files that it replaces. */
  async adopt(number: number): Promise<void> {
    const path = this.pathOf('state', number)
    await rename(`${path}.new`, path)
    await this.sync()
    await this.removeBefore(number)
  }

  async removeBefore(number: number): Promise<void> {
    const { logs, states } = this.files()
    const isOld = (other: number): boolean => other < number
    await removeFiles([
      ...logs.filter(isOld).map((other) => this.pathOf('log', other)),
      ...states.filter(isOld).map((other) => this.pathOf('state', other)),
    ])
  }

  /**
   * Cuts off what follows the last good frame of a log. When it resolves, the rest is on the disk: a killed process may
   * have left it in the memory of the system, and the next log says how long it is.
   */
  async cut(number: number, bytes: number): Promise<void> {
    const handle = await open(this.pathOf('log', number), 'r+')
    try {
      await handle.truncate(bytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
  }

  /** Gives a log a name that the server ignores. Returns the new path. */
  async moveAside(number: number): Promise<string> {
    const aside = this.#nameAside(number)
    await rename(this.pathOf('log', number), aside)
    return aside
  }

  /** Copies a log to a name that the server ignores. When it resolves, the copy is on the disk. Returns its path. */
  async copyAside(number: number): Promise<string> {
    const aside = this.#nameAside(number)
    await copyFile(this.pathOf('log', number), aside)
    await syncPath(aside)
    await this.sync()
    return aside
  }

  /** Resolves when the names of files are on the disk. */
  sync(): Promise<void> {
    return syncPath(this.path)
  }

  /** One that is free: files of earlier damage stay. */
  #nameAside(number: number): string {
    const first = `${this.pathOf('log', number)}.damaged`
    let name = first
    for (let count = 2; existsSync(name); count++) name = `${first}-${count}`
    return name
  }

  #names(): string[] {
    return readdirSync(this.path)
  }

  #numbers(kind: FileKind): number[] {
    return this.#names()
      .flatMap((name) => {
        const match = NAME.exec(name)
        return match?.[1] === kind ? [Number(match[2])] : []
      })
      .sort((one, other) => one - other)
  }
}

/** A log that can begin without opening a file: the process may have no more of them. */
export class PreparedLog {
  constructor(
    private readonly file: UnusedFile,
    private readonly directory: FileHandle,
  ) {}

  /** When it resolves, the log is on the disk. May be called again after it has failed. */
  async begin({ epoch, sync, previousBytes, start }: LogFacts): Promise<DataFile> {
    const file = await this.file.begin({ ...headOf(epoch, sync), previousBytes, start })
    await file.sync()
    await this.directory.sync()
    return file
  }

  /** To be called at the end, in any case. */
  async done(): Promise<void> {
    await this.directory.close()
  }

  /** To be called before, if it has not begun and will not. */
  async discard(): Promise<void> {
    await this.file.close()
  }
}

const headOf = (epoch: string, sync: SyncMode): FileHead => ({
  format: FORMAT,
  version: VERSION,
  epoch,
  boot: bootId(),
  sync,
})

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function removeFiles(paths: readonly string[]): Promise<void> {
  for (const path of paths) await rm(path, { force: true })
}
