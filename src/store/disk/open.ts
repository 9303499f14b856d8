import { inBackground } from '../../lib/in-background.ts'
import { MemoryStore } from '../memory/store.ts'
import { ChangeSet } from './change-set.ts'
import { CommittedAnnouncements } from './committed-announcements.ts'
import { Committer } from './committer.ts'
import { Compactor } from './compactor.ts'
import { DataDirError } from './data-dir-error.ts'
import { Directory } from './directory.ts'
import { holdDirectory } from './holder.ts'
import { load, lostThroughOf } from './load.ts'
import { OnceKeys } from './once-keys.ts'
import { RecordLines } from './record-lines.ts'
import { restore } from './restore.ts'
import { writeState } from './state-lines.ts'
import { StoreTime } from './store-time.ts'
import type { Hold } from './holder.ts'
import type { Image } from './image.ts'
import type { Loaded } from './load.ts'
import type { DiskOptions } from './options.ts'
import type { LineSource } from './state-lines.ts'

/** How often changes are synced with `interval`. */
const SYNC_INTERVAL_MS = 1000
const MIN_LOG_BYTES = 16 * 1024 * 1024

/** The parts of an open store. */
export interface Parts {
  readonly memory: MemoryStore
  readonly announcements: CommittedAnnouncements
  readonly changes: ChangeSet
  readonly committer: Committer
  readonly compactor: Compactor
  readonly onceKeys: OnceKeys
  readonly time: StoreTime
  /** What was on the disk and is not in the memory store. */
  readonly kept: Pick<Image, 'answers' | 'sessions' | 'downMs'>
  /** What compaction writes beside the memory store. */
  readonly sources: LineSource[]
  close(): Promise<void>
}

/** Takes hold of the directory, reads it, and begins a new log. */
export async function openParts(options: DiskOptions): Promise<Parts> {
  const directory = new Directory(options.directory)
  await directory.make()
  const hold = await holdDirectory(options.directory)
  try {
    if (directory.hasBrokenImport)
      throw new DataDirError(
        `data_dir: the import into ${options.directory} was broken off. Import again, or remove the files in it`,
      )
    return await openHeld(directory, hold, options)
  } catch (error) {
    await hold.release()
    throw error
  }
}

async function openHeld(directory: Directory, hold: Hold, options: DiskOptions): Promise<Parts> {
  await directory.removeUnfinished()
  const loaded = load(directory)
  const { image, epoch, next, previousBytes } = loaded
  const { clock, sync } = options
  const start = { wallTime: clock.wallTime(), lostThrough: lostThroughOf(loaded) }
  if (previousBytes !== undefined) await directory.cut(next - 1, previousBytes)
  const file = await directory.createLog(next, { epoch, sync, previousBytes, start })
  await directory.forgetRestored()
  image.restarted(start)
  const time = new StoreTime(clock, image.facts.now)
  // Restoring may change something, before there is a committer.
  let onChanged = (): void => {}
  const changes = new ChangeSet(() => onChanged())
  const announcements = new CommittedAnnouncements((task) => committer.afterCommit(task))
  const memory = new MemoryStore(clock, options, clock, { epoch, changes, announcements })
  restore(memory, image, { ...options, time })
  noteLosses(loaded, options)
  const onceKeys = new OnceKeys(changes, time, options.idempotency.windowMs)
  for (const [key, due] of image.onceKeys) onceKeys.restore(key, due)
  const sources: LineSource[] = [onceKeys]
  const records = new RecordLines(memory, time, image.facts.newestQueued)
  const { onAway, onBack, onFault } = options
  const onCommit = (): void => compactor.runIfDue()
  const committer: Committer = new Committer(
    { changes, records, sync, onAway, onBack, onCommit, onFault },
    file,
  )
  onChanged = () => committer.changed()
  if (!changes.isEmpty) committer.changed()
  const writing = (lines: Parameters<typeof writeState>[3]) =>
    writeState(memory, records, sources, lines)
  const compactor = new Compactor(
    {
      ...{ directory, committer, epoch, sync, onFault },
      now: () => clock.now(),
      minLogBytes: options.minLogBytes ?? MIN_LOG_BYTES,
      writeState: writing,
    },
    next,
    { stateBytes: loaded.stateBytes, logBytes: loaded.logBytes },
  )
  const cancelSync = sync === 'interval' ? syncRegularly(committer, onFault) : () => {}
  const close = async (): Promise<void> => {
    cancelSync()
    compactor.stop()
    try {
      await committer.drain()
      await compactor.stopped()
      await committer.file.end()
    } finally {
      await hold.release()
    }
  }
  const { answers, sessions, downMs } = image
  const kept = { answers, sessions, downMs }
  const parts = { memory, announcements, changes, committer, compactor, onceKeys, time }
  return { ...parts, kept, sources, close }
}

function noteLosses({ mayHaveLost, cutBytes }: Loaded, { onNote }: DiskOptions): void {
  if (mayHaveLost)
    onNote(
      'the last changes may be lost: the machine stopped without stopping the server, or the data was restored. Clients that come back get a gap.',
    )
  else if (cutBytes > 0)
    onNote(
      'the server was killed while it wrote a change. The change was not answered, and was removed.',
    )
}

/** Returns a function that ends it. */
function syncRegularly(committer: Committer, onFault: (error: unknown) => void): () => void {
  let isSyncing = false
  const timer = setInterval(() => {
    if (isSyncing || committer.file.isSynced) return
    isSyncing = true
    inBackground(
      committer.sync().finally(() => (isSyncing = false)),
      onFault,
    )
  }, SYNC_INTERVAL_MS)
  timer.unref()
  return () => clearInterval(timer)
}
