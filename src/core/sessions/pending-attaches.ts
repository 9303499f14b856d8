import type { ConnId, Cursor } from '../../protocol/ids.ts'
import type { Sink } from '../delivery/connection.ts'

/** A client that is being attached. */
export interface PendingAttach {
  readonly connId: ConnId
  readonly sink: Sink
  /** The last event that the client says it has. */
  readonly cursor: Cursor | undefined
  /** Something about the connection changed since the store was asked. */
  isStale: boolean
  /** Its sink was the connection's at some time. */
  hasHeld: boolean
  /** A client had opened the connection before; undefined until the store first says so. */
  isReturning: boolean | undefined
}

/**
 * The clients that are being attached. A store may take its time to answer: what changes meanwhile (channels joined or
 * left, an older client of the connection gone) must not be overwritten by facts from before.
 */
export class PendingAttaches {
  readonly #byId = new Map<ConnId, Set<PendingAttach>>()

  begin(connId: ConnId, sink: Sink, cursor: Cursor | undefined): PendingAttach {
    const pending: PendingAttach = {
      connId,
      sink,
      cursor,
      isStale: false,
      hasHeld: false,
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

  /** The facts that were asked for are not true any more. */
  changed(connId: ConnId): void {
    for (const pending of this.#byId.get(connId) ?? []) pending.isStale = true
  }
}
