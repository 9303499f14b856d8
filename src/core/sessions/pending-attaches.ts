import type { ConnId } from '../../protocol/ids.ts'

/** A client that is being attached. */
export interface PendingAttach {
  readonly connId: ConnId
  /** Something about the connection changed since the store was asked. */
  isStale: boolean
  /** Its sink was the connection's at some time. */
  hasHeld: boolean
}

/**
 * The clients that are being attached. A store may take its time to answer: what changes meanwhile (channels joined or
 * left, an older client of the connection gone) must not be overwritten by facts from before.
 */
export class PendingAttaches {
  readonly #byId = new Map<ConnId, Set<PendingAttach>>()

  begin(connId: ConnId): PendingAttach {
    const pending = { connId, isStale: false, hasHeld: false }
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
