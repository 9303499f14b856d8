import type { ConnId } from '../../protocol/ids.ts'

/** A client that is being attached. */
export interface Arrival {
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
export class Arrivals {
  readonly #byId = new Map<ConnId, Set<Arrival>>()

  begin(connId: ConnId): Arrival {
    const arrival = { connId, isStale: false, hasHeld: false }
    const known = this.#byId.get(connId)
    if (known) known.add(arrival)
    else this.#byId.set(connId, new Set([arrival]))
    return arrival
  }

  end(arrival: Arrival): void {
    const arrivals = this.#byId.get(arrival.connId)
    arrivals?.delete(arrival)
    if (arrivals?.size === 0) this.#byId.delete(arrival.connId)
  }

  /** The facts that were asked for are not true any more. */
  changed(connId: ConnId): void {
    for (const arrival of this.#byId.get(connId) ?? []) arrival.isStale = true
  }
}
