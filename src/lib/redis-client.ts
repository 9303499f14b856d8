/** What every user of `@redis/client` has to know. */
import { reasonOf } from './reason.ts'

interface Destroyable {
  on(event: 'connect', listener: () => void): unknown
  destroy(): void
}

/**
 * Ends a client for good, also while it connects. `destroy` alone does not stop a connection attempt: the socket comes up
 * afterwards, nobody owns it, and it keeps the process alive.
 */
export function discard(client: Destroyable): void {
  client.on('connect', () => client.destroy())
  client.destroy()
}

/** Whether Redis refuses this user or password, so that it is no use to try again. */
export const isRefusal = (error: unknown): boolean =>
  /^(NOAUTH|WRONGPASS|NOPERM) /.test(reasonOf(error))
