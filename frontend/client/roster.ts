import type { PageTypes, ServerEvent, StateOf } from './events.ts'

/** Users and their public states. A new object after each change. */
export type Members<Types extends PageTypes = object> = ReadonlyMap<string, StateOf<Types>>

interface Info {
  readonly channels?: Readonly<Record<string, { readonly users?: readonly string[] }>>
  readonly users?: readonly { readonly user: string; readonly state: StateOf<object> }[]
}

/** Who is in one channel: what an answer said, and the events since. */
export class Roster {
  members: Members | null = null
  /** Answers that are on their way. */
  #expected = 0
  /** The events since the first of them was asked for. An answer may be older than these. */
  #meanwhile: ServerEvent[] = []

  expectAnswer(): void {
    this.#expected++
  }

  answered(): void {
    if (--this.#expected === 0) this.#meanwhile = []
  }

  /** Returns whether the answer tells who is in the channel. */
  learn(name: string, info: unknown): boolean {
    const { channels, users } = (info ?? {}) as Info
    const names = channels?.[name]?.users
    if (!Array.isArray(names) || !Array.isArray(users)) return false
    const states = new Map(users.map(({ user, state }) => [user, state]))
    // Without the users of any channel, the answer leaves them out.
    if (names.length === 0) return false
    this.members = new Map((names as string[]).map((user) => [user, states.get(user) ?? {}]))
    for (const event of this.#meanwhile) this.#apply(event)
    return true
  }

  /** Returns whether the members have changed. */
  received(event: ServerEvent): boolean {
    if (event.type !== 'presence' && event.type !== 'user_state_change') return false
    if (this.#expected > 0) this.#meanwhile.push(event)
    return this.#apply(event)
  }

  #apply(event: ServerEvent): boolean {
    const before = this.members
    if (event.type === 'presence') {
      const { user, users, state, message } = event
      if (users.length > 0) this.members = new Map(users.map((one) => [one.user, one.state]))
      else if (before) {
        const members = new Map(before)
        if (message.action === 'joined') members.set(user, state ?? {})
        else members.delete(user)
        this.members = members
      }
    } else if (event.type === 'user_state_change' && before?.has(event.user))
      this.members = new Map(before).set(event.user, event.message.state)
    return this.members !== before
  }
}
