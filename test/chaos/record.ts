/** What was asked of the servers, and when: what the clients may, must and must never be told follows from it. */

/** A moment between the first attempt and the answer. By the clock of the test. */
export interface Span {
  readonly asked: number
  /** Infinity: it is not answered yet. */
  answered: number
}

/** Posted by who begins, as often as it takes until the client has something. */
export const BEGINNING = 'beginning'

export interface Posted {
  readonly text: string
  readonly by: string
  /** Null: a private message to users. */
  readonly room: string | null
  /** Empty: everybody in the room. */
  readonly users: readonly string[]
  readonly when: Span
}

/** From when to when a connection was in a room. */
export interface Stay {
  readonly room: string
  readonly joined: Span
  left: Span | undefined
  /** It had everything that was posted until then. Who leaves earlier gives up what it has not got yet. */
  settledAt: number
}

export class Record {
  readonly posted = new Map<string, Posted>()
  readonly #stays = new Map<string, Stay[]>()
  /** What residents of a room are told of a user, in order. */
  readonly #moves = new Map<string, ('joined' | 'parted')[]>()
  readonly present = new Map<string, Set<string>>()
  #posts = 0

  /** The text says who posted it, and as their how many-th. */
  post(by: string, room: string | null, users: readonly string[]): Posted {
    const text = `${by} ${++this.#posts}`
    const posted = { text, by, room, users, when: begun() }
    this.posted.set(text, posted)
    return posted
  }

  joins(connId: string, user: string, room: string): Stay {
    const stay = { room, joined: begun(), left: undefined, settledAt: 0 }
    this.#stays.set(connId, [...(this.#stays.get(connId) ?? []), stay])
    this.#move(user, room, 'joined')
    return stay
  }

  leaves(stay: Stay, user: string): Span {
    this.#move(user, stay.room, 'parted')
    return (stay.left = begun())
  }

  movesOf(user: string, room: string): readonly ('joined' | 'parted')[] {
    return this.#moves.get(`${user} in ${room}`) ?? []
  }

  get movers(): readonly (readonly [user: string, room: string])[] {
    return [...this.#moves.keys()].map((key) => key.split(' in ') as [string, string])
  }

  /** Whether the client with this connection has to be told, may be told, or must never be. */
  fate(connId: string, user: string, { by, room, users, when }: Posted): 'must' | 'may' | 'never' {
    if (users.length > 0 && !users.includes(user)) return 'never'
    if (room === null) return by.endsWith(BEGINNING) ? 'may' : 'must'
    let fate: 'must' | 'may' | 'never' = 'never'
    for (const { room: where, joined, left, settledAt } of this.#stays.get(connId) ?? []) {
      if (where !== room || joined.asked > when.answered) continue
      if (left && left.answered < when.asked) continue
      if (joined.answered < when.asked && (!left || when.answered < settledAt)) return 'must'
      fate = 'may'
    }
    return fate
  }

  #move(user: string, room: string, action: 'joined' | 'parted'): void {
    const key = `${user} in ${room}`
    this.#moves.set(key, [...(this.#moves.get(key) ?? []), action])
    const present = this.present.get(room) ?? new Set()
    this.present.set(room, present)
    if (action === 'joined') present.add(user)
    else present.delete(user)
  }
}

const begun = (): Span => ({ asked: performance.now(), answered: Infinity })

export const answered = (span: Span): void => void (span.answered = performance.now())
