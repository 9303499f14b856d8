/** A complete list of the events of each topic, to compare with the frames of a store. */

/** Who may receive an event. Exclusion overrides `pm`; an empty `pm` means everyone. */
export interface Filter {
  readonly pm: readonly string[]
  readonly exclude: readonly string[]
}

export const allows = ({ pm, exclude }: Filter, user: string): boolean =>
  !exclude.includes(user) && (pm.length === 0 || pm.includes(user))

/** An event as a client should see it. Undefined keys must be absent; keys that are not listed are not compared. */
export type View = Readonly<Record<string, unknown>>

export interface Entry {
  readonly n: number
  readonly filter: Filter
  view: View
  /** `lost`: no longer kept for clients that reconnect. `deleted`: removed by a delete. */
  fate: 'kept' | 'lost' | 'deleted'
}

export interface Missed {
  readonly entries: readonly Entry[]
  /** An event that the user may see is lost. */
  readonly isGap: boolean
  /** An event is lost, or may be. */
  readonly mayBeGap: boolean
}

export class ModelLog {
  head = 0
  #forgottenThrough = 0
  readonly #entries = new Map<string, Entry[]>()
  readonly #unknownThrough = new Map<string, number>()

  /** A channel or user was created. Whether an earlier one with this name lost events is unknown. */
  made(topic: string): void {
    this.#unknownThrough.set(topic, this.#forgottenThrough)
  }

  forgotten(topic: string): void {
    for (const entry of this.#of(topic)) {
      if (entry.fate === 'kept') entry.fate = 'lost'
      this.#forgottenThrough = Math.max(this.#forgottenThrough, entry.n)
    }
  }

  keep(topic: string, { n, filter, view }: Omit<Entry, 'fate'>, capacity: number): void {
    const entries = this.#of(topic)
    const target = entries.find(
      ({ fate, view: { type, uuid } }) =>
        fate === 'kept' && type === 'message' && uuid === view['uuid'],
    )
    if (target && view['type'] === 'message:delete') target.fate = 'deleted'
    if (target && view['type'] === 'message:edit') target.view = applyEdit(target.view, view)
    entries.push({ n, filter, view, fate: capacity > 0 ? 'kept' : 'lost' })
    const kept = entries.filter(({ fate }) => fate === 'kept')
    if (capacity > 0) for (const entry of kept.slice(0, -capacity)) entry.fate = 'lost'
  }

  /** Returns the first kept message with this uuid, or else the newest kept edit or delete of one. */
  about(topic: string, uuid: unknown): Entry | undefined {
    const kept = this.#of(topic).filter(
      ({ fate, view }) => fate === 'kept' && view['uuid'] === uuid,
    )
    const isMessage = ({ view }: Entry) => view['type'] === 'message'
    const changes = ['message:edit', 'message:delete']
    return (
      kept.find(isMessage) ?? kept.findLast(({ view }) => changes.includes(view['type'] as string))
    )
  }

  missed(topic: string, after: number, user: string): Missed {
    const later = this.#of(topic).filter(({ n }) => n > after)
    const lost = later.filter(({ fate }) => fate === 'lost')
    return {
      entries: later.filter(({ fate, filter }) => fate === 'kept' && allows(filter, user)),
      isGap: lost.some(({ filter }) => allows(filter, user)),
      mayBeGap: lost.length > 0 || after < (this.#unknownThrough.get(topic) ?? 0),
    }
  }

  #of(topic: string): Entry[] {
    const known = this.#entries.get(topic)
    if (known) return known
    const made: Entry[] = []
    this.#entries.set(topic, made)
    return made
  }
}

/** A message after an edit. */
export function applyEdit(message: View, edit: View): View {
  return { ...message, message: edit['message'], edited: edit['edited'] }
}
