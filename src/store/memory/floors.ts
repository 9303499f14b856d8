import type { ConnId, UserName } from '../../protocol/ids.ts'

const REMOVED = Infinity

export interface FloorLimits {
  /** Events up to this number are gone, so that floors up to it keep nothing from anybody. */
  readonly lostThrough: number
  /** See `StoreLimits.maxRemovals`. */
  readonly most: number
}

/**
 * Who was taken out of a channel by a call of `leave`. After the next joining nothing is caught up that was announced
 * before it, whichever connection and cursor are named: the number of that joining is the floor.
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

  /** The number of the event after which catching up may begin. `head`: the number of the newest event. */
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

  #remove(who: string, { lostThrough, most }: FloorLimits): void {
    const floors = (this.#floors ??= new Map())
    floors.delete(who)
    floors.set(who, REMOVED)
    if (floors.size <= most) return
    for (const [other, floor] of floors) if (floor <= lostThrough) floors.delete(other)
    if (floors.size <= most) return
    for (const other of [...floors.keys()].slice(0, Math.ceil(most / 10))) floors.delete(other)
  }
}
