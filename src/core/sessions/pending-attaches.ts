import type { ConnId, Cursor } from '../../protocol/ids.ts'
import type { Sink } from '../delivery/connection.ts'

/** One call of `Sessions.attach` that is under way. */
export interface PendingAttach {
  readonly connId: ConnId
  readonly sink: Sink
  /** The last event that the client claims to have. */
  readonly cursor: Cursor | undefined
  /** The connection has changed since the store was asked. */
  isStale: boolean
  /** The sink has been attached to the connection. */
  wasAttached: boolean
  /** A client had opened the connection before. Undefined until the first reply of the store. */
  isReturning: boolean | undefined
}

/**
 * Attaches that wait for the store. If the connection changes meanwhile (it joins or leaves channels, an older client
 * goes away), the reply is outdated and must not overwrite the change.
 */
export class PendingAttaches {
  readonly #byId = new Map<ConnId, Set<PendingAttach>>()

  begin(connId: ConnId, sink: Sink, cursor: Cursor | undefined): PendingAttach {
    const pending: PendingAttach = {
      connId,
      sink,
      cursor,
      isStale: false,
      wasAttached: false,
      isReturning: undefined,
    }
    const known = this.#byId.get(connId)
    if (known) known.add(pending)
    else this.#byId.set(connId, new Set([pending]))
    return pending
  }

  end(pending: PendingAttach): void {
    const pendings = this.#byId.get(pending.connId)
    pendings?.delete(pending)
    if (pendings?.size === 0) this.#byId.delete(pending.connId)
  }

  /** Marks pending attaches of the connection as stale. */
  markStale(connId: ConnId): void {
    for (const pending of this.#byId.get(connId) ?? []) pending.isStale = true
  }
}
