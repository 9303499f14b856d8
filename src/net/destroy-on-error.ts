import type { Duplex } from 'node:stream'

/** To be set on a socket while nobody else watches over it: its peer went away, and nobody is left to tell. */
export function destroyOnError(this: Duplex): void {
  this.destroy()
}
