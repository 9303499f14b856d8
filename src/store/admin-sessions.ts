/**
 * Which sessions of the admin pages are open.
 *
 * A list of open sessions, not of ended ones: a session that nobody remembers is over, whatever cookie a browser still
 * has. Apart from the store, because it is about administrators and not about channels; like it, so that several servers
 * can share one.
 */
import type { Awaitable } from './store.ts'

export interface AdminSessionStore {
  /**
   * Opens the session of this name. It ends by itself after a lifetime, or before that when more sessions are open than
   * the implementation keeps: the oldest end first.
   */
  open(name: string): Awaitable<void>

  /** Returns whether one of these is open. */
  isAnyOpen(names: readonly string[]): Awaitable<boolean>

  /** Ends these for good. Once it resolves, no server takes them for open. Names that are not open are ignored. */
  end(names: readonly string[]): Awaitable<void>
}

export interface AdminSessionLimits {
  readonly lifetimeMs: number
  readonly maxSessions: number
}
