/** What was announced, as a list per topic that forgets nothing: what the frames of a store are compared with. */

/** Who may have an event. An exclusion wins; an empty `pm` is everyone. */
export interface Filter {
  readonly pm: readonly string[]
  readonly exclude: readonly string[]
}

export const allows = ({ pm, exclude }: Filter, user: string): boolean =>
  !exclude.includes(user) && (pm.length === 0 || pm.includes(user))

/** An event as a client should see it: keys that are undefined should not be there, other keys are not looked at. */
export type View = Readonly<Record<string, unknown>>

export interface Entry {
  readonly n: number
  readonly filter: Filter
  view: View
  /** `lost`: no longer kept for who returns. `deleted`: taken out on purpose. */
  fate: 'kept' | 'lost' | 'deleted'
}

export interface Missed {
  readonly entries: readonly Entry[]
  /** Something that the user may see is not there any more. */
  readonly isGap: boolean
  /** Something is not there any more, or may not be. */
  readonly mayBeGap: boolean
}

export class ModelLog {
  head = 0
  #forgottenThrough = 0
  readonly #entries = new Map<string, Entry[]>()
  readonly #unknownThrough = new Map<string, number>()

  /** A channel or user was made. What an older one of that name lost, and what it was, is not known. */
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

  /** Of what is kept: the first message with this uuid; if there is none, the newest edit or delete of one. */
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
