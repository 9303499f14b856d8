/**
 * The open sessions of the admin pages.
 *
 * It lists open sessions, not ended ones: a session that is not listed is over, whatever cookie a browser still has. It
 * is separate from the store, because it is about administrators and not about channels. Like the store, several
 * servers can share it.
 */
import type { Awaitable } from './store.ts'

export interface AdminSessionStore {
  /** Opens a session. It ends after its lifetime. When too many sessions are open, the oldest ends early. */
  open(name: string): Awaitable<void>

  /** Returns whether one of these sessions is open. */
  isAnyOpen(names: readonly string[]): Awaitable<boolean>

  /** Ends these sessions. When it resolves, they are closed for all servers. Ignores names that are not open. */
  end(names: readonly string[]): Awaitable<void>
}

export interface AdminSessionLimits {
  readonly lifetimeMs: number
  readonly maxSessions: number
}
