/** Records all requests and their times. From this follows which events a client must, may, or must never receive. */

/** The time from the first attempt to the answer, by the clock of the test. The request ran in between. */
export interface Span {
  readonly asked: number
  /** Infinity until it is answered. */
  answered: number
}

/** Marks messages that are posted until a new client has its first event. */
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

/** The time that a connection was in a room. */
export interface Stay {
  readonly room: string
  readonly joined: Span
  left: Span | undefined
  /** It had received everything posted until then. A client that leaves may miss later messages. */
  settledAt: number
}

export class Record {
  readonly posted = new Map<string, Posted>()
  readonly #stays = new Map<string, Stay[]>()
  /** The presence events of a user in a room, in order, as residents must receive them. */
  readonly #moves = new Map<string, ('joined' | 'parted')[]>()
  readonly present = new Map<string, Set<string>>()
  #posts = 0

  /** Records a post. Its text holds the poster and a number. */
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

  /** Returns whether the client with this connection must, may, or must never receive the message. */
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
