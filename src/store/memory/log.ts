import { isListed } from '../../lib/name-list.ts'
import { formatCursor } from '../../protocol/ids.ts'
import { EDITABLE, applyEdit } from '../apply-edit.ts'
import { audienceOf } from '../audience.ts'
import type { UserName } from '../../protocol/ids.ts'
import type { Publication, Recipients, StoreLimits, StoredEvent } from '../store.ts'
import type { Channel, User } from './records.ts'
import type { ReplayBuffer } from './replay-buffer.ts'

/** Numbers events, and appends them to history and frames. */
export class EventLog {
  #head = 0
  #forgottenThrough = 0

  constructor(
    private readonly epoch: string,
    private readonly limits: Pick<StoreLimits, 'channelFrames' | 'userFrames'>,
  ) {}

  /** The number of the newest event. */
  get head(): number {
    return this.#head
  }

  /** Events up to this number may be lost together with their channel or user. */
  get forgottenThrough(): number {
    return this.#forgottenThrough
  }

  /** Notes that the frames of a removed channel or user are lost. */
  forget({ newest, lostThrough }: ReplayBuffer): void {
    this.#forgottenThrough = Math.max(this.#forgottenThrough, newest, lostThrough)
  }

  number({ body, delivery }: Publication): StoredEvent {
    const n = ++this.#head
    return { n, id: formatCursor({ epoch: this.epoch, n }), body, delivery }
  }

  /** Numbers an event in a channel. Edits and deletes get the audience of their message. */
  numberIn(channel: Channel, { body, delivery, channels }: Publication): StoredEvent {
    const isChange = body.type === 'message:edit' || body.type === 'message:delete'
    const original = isChange ? originalIn(channel, body.uuid) : undefined
    const audience = audienceOf(delivery, original?.delivery)
    // Assigned, not spread: see `clientView` in the core. The payload is shared by all channels.
    const named = channels ? Object.assign({}, body, { channel: channel.name }) : body
    return this.number({ body: named, delivery: audience })
  }

  /** `at`: now. */
  toChannel(channel: Channel, event: StoredEvent, at: number): void {
    const { uuid } = event.body
    switch (event.body.type) {
      case 'message':
        channel.keep(event, at)
        break
      case 'message:edit':
        channel.history.replace(uuid, editWith(event))
        break
      case 'message:delete':
        channel.history.remove(uuid)
        break
      default: // presence and state changes are not history
    }
    const capacity = channel.settings.store_frames ? this.limits.channelFrames : 0
    keepFrame(channel.frames, event, capacity, at)
  }

  toUser(user: User, event: StoredEvent): void {
    keepFrame(user.frames, event, this.limits.userFrames)
  }
}

/** Returns the first message with this uuid in history or frames, or else the newest edit or delete of it. */
function originalIn({ history, frames }: Channel, uuid: string): StoredEvent | undefined {
  const shown = history.find(uuid)
  const kept = frames.about(uuid)
  return shown && (kept?.body.type !== 'message' || shown.n < kept.n) ? shown : kept
}

function keepFrame(frames: ReplayBuffer, event: StoredEvent, capacity: number, at?: number): void {
  if (event.body.type === 'message:edit') frames.replaceMessage(event.body.uuid, editWith(event))
  if (event.body.type === 'message:delete') frames.removeMessage(event.body.uuid)
  frames.push(event, capacity, at)
}

const editWith =
  (edit: StoredEvent) =>
  (event: StoredEvent): StoredEvent => {
    const given = EDITABLE.filter((key) => edit.body[key] !== undefined)
    return applyEdit(event, Object.fromEntries(given.map((key) => [key, edit.body[key]])))
  }

export type RecipientCounts = Pick<Recipients, 'connections' | 'users'>
export const NOBODY: RecipientCounts = { connections: 0, users: 0 }

/** Returns for how many connections and users a message in a channel is. */
export function recipientsIn(
  channel: Channel,
  { pmUsers, excludeUsers }: Publication['delivery'],
): RecipientCounts {
  if (pmUsers.length > 0) {
    const users = pmUsers.filter((name) => !isListed(excludeUsers, name))
    return membersAmong(users, channel)
  }
  const excluded = membersAmong(excludeUsers, channel)
  return {
    connections: channel.connections - excluded.connections,
    users: channel.members.size - excluded.users,
  }
}

/** Counts those of the users who are members, and their connections. */
function membersAmong(names: readonly UserName[], channel: Channel): RecipientCounts {
  if (names.length === 0) return NOBODY
  let [connections, users] = [0, 0]
  for (const name of new Set(names)) {
    const count = channel.connectionsOf(name)
    connections += count
    if (count > 0) users++
  }
  return { connections, users }
}
