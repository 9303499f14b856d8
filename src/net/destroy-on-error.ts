import type { Duplex } from 'node:stream'

/**
 * An error listener for sockets that nobody else handles: the peer is gone, so there is nobody to report the error to.
 */
export function destroyOnError(this: Duplex): void {
  this.destroy()
}
