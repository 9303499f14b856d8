import { until } from './http.ts'

export interface ReceivedEvent {
  readonly type: string
  readonly id: string
  readonly channel?: string | null
  readonly user?: string
  readonly catchup?: boolean
  readonly message?: { readonly text?: string; readonly action?: string }
  readonly [key: string]: unknown
}

/** The events that a client has received. */
export class Received {
  readonly events: ReceivedEvent[] = []

  get texts(): (string | undefined)[] {
    return this.of('message').map(({ message }) => message?.text)
  }

  of(type: string): ReceivedEvent[] {
    return this.events.filter((event) => event.type === type)
  }

  /** The presence events of a user, in order: `joined`, `parted`. */
  presenceOf(user: string): (string | undefined)[] {
    const events = this.of('presence').filter((event) => event.user === user)
    return events.map(({ message }) => message?.action)
  }

  /** Waits for a message with this text. All earlier events have then arrived. */
  async heard(text: string, withinMs?: number): Promise<void> {
    await until(() => this.texts.includes(text), `the message ${text}`, withinMs)
  }
}
