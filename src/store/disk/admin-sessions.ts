import type { AdminSessionStore } from '../admin-sessions.ts'
import type { MemoryAdminSessions } from '../memory/admin-sessions.ts'
import type { Awaitable } from '../store.ts'
import type { Image } from './image.ts'
import type { Line } from './lines.ts'
import type { StoreTime } from './store-time.ts'

export interface AdminSessionsDeps {
  readonly memory: MemoryAdminSessions
  readonly time: StoreTime
  readonly lifetimeMs: number
  /** Resolves when the line is committed, and rejects if that fails. */
  readonly write: (line: Line) => Awaitable<void>
  /** Has the line committed, as soon as the disk takes writes. */
  readonly note: (line: Line) => void
  /** Resolves when everything so far is committed, and rejects if that fails. */
  readonly committed: () => Awaitable<void>
}

/** Keeps sessions in memory and on disk. */
export class DiskAdminSessions implements AdminSessionStore {
  constructor(private readonly deps: AdminSessionsDeps) {}

  async open(name: string): Promise<void> {
    const { memory, time, lifetimeMs, write } = this.deps
    await write(['s', name, time.now() + lifetimeMs])
    memory.open(name)
  }

  isAnyOpen(names: readonly string[]): boolean {
    return this.deps.memory.isAnyOpen(names)
  }

  async end(names: readonly string[]): Promise<void> {
    const { memory, note, committed } = this.deps
    // At once, whether or not it can be written: nobody may go on using them.
    const open = names.filter((name) => memory.isAnyOpen([name]))
    memory.end(names)
    for (const name of open) note(['-s', name])
    await committed()
  }

  /** Sessions end by the calendar, also while the server is not running. */
  restore({ sessions, downMs }: Pick<Image, 'sessions' | 'downMs'>): void {
    const { memory, time } = this.deps
    for (const [name, due] of sessions) {
      const timeLeft = due - time.now() - downMs
      if (timeLeft > 0) memory.restore(name, timeLeft)
    }
  }

  *lines(): Generator<Line, void> {
    for (const [name, end] of this.deps.memory.ends) yield ['s', name, this.deps.time.of(end)]
  }
}
