/** Helpers for every use of `@redis/client`. */
import { reasonOf } from './reason.ts'

interface Destroyable {
  on(event: 'connect', listener: () => void): unknown
  destroy(): void
}

/**
 * Destroys a client for good, also while it connects. `destroy` alone does not stop a connection attempt: its socket
 * opens later, has no owner, and keeps the process alive.
 */
export function discard(client: Destroyable): void {
  client.on('connect', () => client.destroy())
  client.destroy()
}

/** Returns whether Redis refused the user or password, which makes retries useless. */
export const isRefusal = (error: unknown): boolean =>
  /^(NOAUTH|WRONGPASS|NOPERM) /.test(reasonOf(error))
