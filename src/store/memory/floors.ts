import type { ConnId, UserName } from '../../protocol/ids.ts'

const REMOVED = Infinity

export interface FloorLimits {
  /** Events up to this number are gone, so floors up to it have no effect. */
  readonly lostThrough: number
  /** See `StoreLimits.maxRemovals`. */
  readonly maxRemovals: number
}

/** Called with each key whose floor has changed or is forgotten. */
export type FloorListener = ((who: string) => void) | undefined

/**
 * Remembers who was removed from a channel by `leave`. After the next join, catching up starts at that join, whatever
 * connection and cursor the client sends. The number of the newest event at the join is the floor.
 */
export class Floors {
  /** What has not changed for longest first: removals and joins alike, as in the log of a store on disk. */
  #floors: Map<string, number> | undefined

  userRemoved(user: UserName, limits: FloorLimits, changed?: FloorListener): void {
    this.#remove(`u:${user}`, limits, changed)
  }

  connectionRemoved(id: ConnId, limits: FloorLimits, changed?: FloorListener): void {
    this.#remove(`n:${id}`, limits, changed)
  }

  /** The floors by key, the one that changed last at the end. `Infinity`: removed, and not joined again since. */
  entries(): Iterable<[who: string, floor: number]> {
    return this.#floors ?? []
  }

  get(who: string): number | undefined {
    return this.#floors?.get(who)
  }

  /** Puts a floor back, as the newest. */
  restore(who: string, floor: number): void {
    this.#set(who, floor)
  }

  /** Returns the event number after which catching up may start. `head`: the number of the newest event. */
  floorOnJoin(user: UserName, id: ConnId, head: number, changed?: FloorListener): number {
    if (!this.#floors) return 0
    const floorOf = (who: string): number => this.#floorOf(who, head, changed)
    return Math.max(floorOf(`u:${user}`), floorOf(`n:${id}`))
  }

  #floorOf(who: string, head: number, changed: FloorListener): number {
    const floor = this.#floors?.get(who)
    if (floor !== REMOVED) return floor ?? 0
    this.#set(who, head)
    changed?.(who)
    return head
  }

  #remove(who: string, { lostThrough, maxRemovals }: FloorLimits, changed: FloorListener): void {
    const floors = this.#set(who, REMOVED)
    changed?.(who)
    if (floors.size <= maxRemovals) return
    const forget = (other: string): void => {
      floors.delete(other)
      changed?.(other)
    }
    for (const [other, floor] of floors) if (floor <= lostThrough) forget(other)
    if (floors.size <= maxRemovals) return
    for (const other of [...floors.keys()].slice(0, Math.ceil(maxRemovals / 10))) forget(other)
  }

  #set(who: string, floor: number): Map<string, number> {
    const floors = (this.#floors ??= new Map<string, number>())
    floors.delete(who)
    floors.set(who, floor)
    return floors
  }
}
