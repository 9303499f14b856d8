import type { ConnId, UserName } from '../../protocol/ids.ts'

const REMOVED = Infinity

export interface FloorLimits {
  /** Events up to this number are gone, so floors up to it have no effect. */
  readonly lostThrough: number
  /** See `StoreLimits.maxRemovals`. */
  readonly maxRemovals: number
}

/**
 * Remembers who was removed from a channel by `leave`. After the next join, catching up starts at that join, whatever
 * connection and cursor the client sends. The number of the newest event at the join is the floor.
 */
export class Floors {
  /** The oldest removal first. */
  #floors: Map<string, number> | undefined

  userRemoved(user: UserName, limits: FloorLimits): void {
    this.#remove(`u:${user}`, limits)
  }

  connectionRemoved(id: ConnId, limits: FloorLimits): void {
    this.#remove(`n:${id}`, limits)
  }

  /** Returns the event number after which catching up may start. `head`: the number of the newest event. */
  floorOnJoin(user: UserName, id: ConnId, head: number): number {
    if (!this.#floors) return 0
    return Math.max(this.#floorOf(`u:${user}`, head), this.#floorOf(`n:${id}`, head))
  }

  #floorOf(who: string, head: number): number {
    const floor = this.#floors?.get(who)
    if (floor !== REMOVED) return floor ?? 0
    this.#floors?.set(who, head)
    return head
  }

  #remove(who: string, { lostThrough, maxRemovals }: FloorLimits): void {
    const floors = (this.#floors ??= new Map())
    floors.delete(who)
    floors.set(who, REMOVED)
    if (floors.size <= maxRemovals) return
    for (const [other, floor] of floors) if (floor <= lostThrough) floors.delete(other)
    if (floors.size <= maxRemovals) return
    for (const other of [...floors.keys()].slice(0, Math.ceil(maxRemovals / 10)))
      floors.delete(other)
  }
}
