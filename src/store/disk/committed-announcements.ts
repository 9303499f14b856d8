import { performance } from 'node:perf_hooks'
import { PacedQueue } from '../../lib/paced-queue.ts'
import type { Announcements } from '../memory/publishing.ts'

/**
 * Announcements of changes, made in order when the changes are committed. Those of a commit are made before the calls
 * return that wait for it, unless that takes long.
 */
export class CommittedAnnouncements implements Announcements {
  readonly haveCommands = true
  readonly #paced = new PacedQueue({
    now: () => performance.now(),
    soon: (task) => void setImmediate(task),
  })

  constructor(private readonly afterCommit: (task: () => void) => void) {}

  /** Must be called in the step that makes the change: later, the announcement would wait for another commit. */
  run(task: () => void): void {
    this.afterCommit(() => this.#paced.run(task))
  }

  /** Undefined: the memory store waits for nothing. Its callers wait for the commit, and then for `allRun`. */
  drained(): undefined {
    return undefined
  }

  /** Resolves when the announcements of all changes that are committed by now were made. Undefined: they were. */
  allRun(): Promise<void> | undefined {
    return this.#paced.drained()
  }
}
