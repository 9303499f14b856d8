import { newEpoch } from '../memory/store.ts'
import { bootId } from './boot.ts'
import { DataDirError } from './data-dir-error.ts'
import { headOf, isUnused, readFrom } from './file-head.ts'
import { readLines } from './frame-lines.ts'
import { readFrames } from './frames.ts'
import { Image } from './image.ts'
import type { Directory } from './directory.ts'
import type { ReadFile } from './frames.ts'

export interface Loaded {
  readonly image: Image
  /** The number of the next log. */
  readonly next: number
  /** The length of the log before it, if that one has no end. */
  readonly previousBytes: number | undefined
  /** Of the newest state, and of the logs since. */
  readonly stateBytes: number
  readonly logBytes: number
  /**
   * The last commits may be lost, because the machine stopped before they were on its disk, or because the files are an
   * older copy.
   */
  readonly mayHaveLost: boolean
  readonly epoch: string
  /** Bytes of a commit that was being written at the end. It was not answered. */
  readonly cutBytes: number
}

/** Reads the data of a directory. Throws `DataDirError` if it cannot be used as it is. Changes nothing. */
export function load(directory: Directory): Loaded {
  const { state, logs } = filesToRead(directory)
  const last = logs.at(-1)
  const next = (last ?? 0) + 1
  const nothing = { next, previousBytes: undefined, stateBytes: 0, logBytes: 0, cutBytes: 0 }
  if (last === undefined) {
    const epoch = newEpoch()
    return { ...nothing, image: new Image(epoch), epoch, mayHaveLost: false }
  }
  const end = endOf(directory.pathOf('log', last), directory.isRestored)
  const image = new Image(end.epoch)
  const stateBytes = state === 0 ? 0 : readWhole(directory.pathOf('state', state), image)
  let logBytes = end.file.goodBytes
  for (const number of logs.slice(0, -1)) {
    const follower = headOf(directory.pathOf('log', number + 1))
    logBytes += readWhole(directory.pathOf('log', number), image, follower.previousBytes)
  }
  readFile(directory.pathOf('log', last), image)
  const { goodBytes, bytes, isEnded } = end.file
  return {
    ...{ image, next, stateBytes, logBytes },
    previousBytes: isEnded ? undefined : goodBytes,
    mayHaveLost: end.mayHaveLost,
    epoch: end.epoch,
    cutBytes: bytes - goodBytes,
  }
}

/** One number is skipped after a loss, and counts as lost: so all clients that come back get a gap. */
export const lostThroughOf = ({ mayHaveLost, image }: Loaded): number =>
  mayHaveLost ? image.facts.head + 1 : 0

/** The newest state (0: none) and the logs since. */
function filesToRead(directory: Directory): { state: number; logs: readonly number[] } {
  const found = directory.files()
  const state = found.states.at(-1) ?? 0
  const logs = found.logs.filter((number) => number >= state)
  const last = logs.at(-1)
  // A log is used when its head is on the disk. Without one, the process ended while it created the log.
  if (last !== undefined && isUnused(directory.pathOf('log', last))) logs.pop()
  if (logs.length === 0 && state === 0) return { state, logs }
  const first = Math.max(state, 1)
  const expected = Array.from({ length: Math.max(logs.length, 1) }, (_, index) => first + index)
  const missing = expected.find((number) => !logs.includes(number))
  if (missing !== undefined)
    throw new DataDirError(`data_dir: ${directory.pathOf('log', missing)} is missing. ${RESTORE}`)
  return { state, logs }
}

/** What the end of the last log says about how the store ended. Throws if it was not by a stop, a kill or a power cut. */
function endOf(
  path: string,
  isRestored: boolean,
): { file: ReadFile; epoch: string; mayHaveLost: boolean } {
  const head = headOf(path)
  const file = readFrames(path, () => {})
  const isReboot = head.boot === '' || head.boot !== bootId()
  // A killed process leaves the beginning of a frame at most. A machine may leave anything there, but nothing behind it.
  const isExpected = file.rest === 'nothing' || file.rest === 'cut' || isReboot
  if (!isExpected || !isLast(path, file)) throw damaged(path, file)
  const mayHaveLost = isRestored || (!file.isEnded && isReboot && head.sync !== 'commit')
  return { file, mayHaveLost, epoch: mayHaveLost ? newEpoch() : head.epoch }
}

/** Reads a file that must be complete. `bytes`: its length, if it has no end. Returns its length. */
function readWhole(path: string, image: Image, bytes?: number): number {
  const file = readFile(path, image)
  if (file.rest !== 'nothing' || !(file.isEnded || file.goodBytes === bytes))
    throw damaged(path, file)
  return file.goodBytes
}

function readFile(path: string, image: Image): ReadFile {
  const { start } = headOf(path)
  if (start) image.restarted(start)
  return readFrames(path, (frame) => readLines(frame, image))
}

const RESTORE =
  'Restore a backup, or keep what was there before the damage with `channelstream recover-data`. See docs/durability.md'

const damaged = (path: string, { goodBytes, bytes }: ReadFile): DataDirError =>
  new DataDirError(`data_dir: ${path} is damaged at byte ${goodBytes} of ${bytes}. ${RESTORE}`)

/** Whether no frame follows the first that is not good. */
function isLast(path: string, { goodBytes, rest }: ReadFile): boolean {
  return rest === 'nothing' || !FRAME_INSIDE.test(readFrom(path, goodBytes))
}

/** Never in a payload: its lines begin with a bracket. */
const FRAME_INSIDE = /\n#[0-9a-f]{8} \d{1,12} [-xhe]\n/
