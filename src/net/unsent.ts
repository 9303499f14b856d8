import type { Duplex } from 'node:stream'

/**
 * Returns how many of the bytes that are being written to a socket the system has not taken yet. Shows that a write
 * makes progress: `writableLength` counts a write as a whole until the last byte is taken. Node reads the same counter
 * for its own idle timeout. If a version does not have it, a write shows no progress.
 */
export function unsentBytes(socket: Duplex | null | undefined): number {
  const { _handle: handle } = (socket ?? {}) as SocketWithHandle
  return handle?.writeQueueSize ?? socket?.writableLength ?? 0
}

interface SocketWithHandle {
  readonly _handle?: { readonly writeQueueSize?: number } | null
}

/** Finds out whether a client takes what waits for it, however slowly. */
export class Uptake {
  /** The bytes that waited for the client at the last call. */
  #unsent = 0

  /** Returns whether the client has taken bytes, since the last call, of what waited for it then. */
  hasProgressed(socket: Duplex | null | undefined): boolean {
    const before = this.#unsent
    this.#unsent = unsentBytes(socket)
    return this.#unsent < before
  }
}
