import { isoTimestamp } from '../../protocol/timestamps.ts'
import { DataDirError, NewerFormatError } from './data-dir-error.ts'
import { Directory } from './directory.ts'
import { headOf } from './file-head.ts'
import { readFrames } from './frames.ts'
import { holdDirectory } from './holder.ts'
import { load } from './load.ts'
import { giveToOwner } from './owner.ts'

/** What can be used of the logs since the state. */
interface Usable {
  /** The number of the last log that can be used. Undefined: none can. */
  readonly last: number | undefined
  /** How much of it. Undefined: all. */
  readonly bytes?: number
}

/**
 * Reduces a damaged directory to what it said before the damage, so that the server can start. What follows the damage is
 * kept in files with `.damaged` in their names. The next start treats the directory as a restored copy: clients get a gap.
 *
 * Changes nothing if nothing is damaged. Rejects with `DataDirError` if a server uses the directory, if its state is
 * damaged, or if a newer version has written it. Returns what was done, as sentences.
 */
export async function recoverDirectory(path: string): Promise<readonly string[]> {
  const directory = new Directory(path)
  const hold = await holdDirectory(path)
  try {
    const damage = damageFoundBy(() => load(directory))
    if (damage === undefined) return ['Nothing is damaged, and nothing was changed.']
    const setAside = await reduce(directory, damage)
    const { head, wallTime } = load(directory).image.facts
    return [
      `Recovered what there was before the damage: everything up to ${isoTimestamp(wallTime)} UTC (event ${head}).`,
      `Set aside, for you to keep or to remove: ${setAside.join(', ')}`,
    ]
  } finally {
    await hold.release()
  }
}

/** Returns the files that it has set aside. */
async function reduce(directory: Directory, damage: DataDirError): Promise<string[]> {
  const { states, logs } = directory.files()
  const state = states.at(-1) ?? 0
  if (state > 0 && !isWhole(directory.pathOf('state', state))) throw beyondRecovery(damage)
  const first = Math.max(state, 1)
  const since = logs.filter((number) => number >= first)
  const { last, bytes } = usableOf(directory, first, since)
  if (last === undefined && state === 0) throw beyondRecovery(damage)
  // First of all: what is left looks like that of a killed server, if this is interrupted.
  await directory.markRestored()
  const aside: string[] = []
  for (const number of since.filter((one) => last === undefined || one > last))
    aside.push(await directory.moveAside(number))
  if (last === undefined) {
    const { epoch, sync } = headOf(directory.pathOf('state', state))
    const log = await directory.createLog(state, { epoch, sync })
    await log.close()
    await giveToOwner(directory.path, log.path)
  } else if (bytes !== undefined) {
    aside.push(await directory.copyAside(last))
    await directory.cut(last, bytes)
  }
  await directory.sync()
  return aside
}

const beyondRecovery = ({ message }: DataDirError): DataDirError =>
  new DataDirError(
    `This cannot be recovered, because it is at the beginning of what is kept. ${message}`,
  )

const isWhole = (path: string): boolean => {
  const { rest, isEnded } = readFrames(path, () => {})
  return rest === 'nothing' && isEnded
}

/** Finds the first log that is missing or damaged. */
function usableOf(directory: Directory, first: number, logs: readonly number[]): Usable {
  let last: number | undefined
  for (let number = first; logs.includes(number); number++) {
    const path = directory.pathOf('log', number)
    if (!hasHead(path)) return { last }
    const { goodBytes, rest, isEnded } = readFrames(path, () => {})
    // The head can be read, but it is not what was written.
    if (goodBytes === 0) return { last }
    last = number
    if (rest !== 'nothing') return { last, bytes: goodBytes }
    const follower = directory.pathOf('log', number + 1)
    const isFollowed = logs.includes(number + 1) && hasHead(follower)
    // Something was cut off between two changes.
    if (isFollowed && !isEnded && headOf(follower).previousBytes !== goodBytes) return { last }
  }
  return { last }
}

const hasHead = (path: string): boolean => damageFoundBy(() => headOf(path)) === undefined

/** Undefined: there is none. Throws if there is something else that keeps the data from being read. */
function damageFoundBy(read: () => unknown): DataDirError | undefined {
  try {
    read()
    return undefined
  } catch (error) {
    if (error instanceof DataDirError && !(error instanceof NewerFormatError)) return error
    throw error
  }
}
