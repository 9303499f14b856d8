import { isListed } from '../../lib/name-list.ts'
import { formatCursor } from '../../protocol/ids.ts'
import { EDITABLE, applyEdit } from '../apply-edit.ts'
import { audienceOf } from '../audience.ts'
import type { UserName } from '../../protocol/ids.ts'
import type { Publication, Recipients, StoreLimits, StoredEvent } from '../store.ts'
import type { Changes } from './changes.ts'
import type { Channel, User } from './records.ts'
import type { ReplayBuffer } from './replay-buffer.ts'

/** Numbers events, and appends them to history and frames. */
export class EventLog {
  #head = 0
  #forgottenThrough = 0

  constructor(
    private readonly epoch: string,
    private readonly limits: Pick<StoreLimits, 'channelFrames' | 'userFrames'>,
    private readonly changes?: Changes,
  ) {}

  /** Goes on with the numbers of an earlier life of the store. */
  restore(head: number, forgottenThrough: number): void {
    this.#head = head
    this.#forgottenThrough = forgottenThrough
  }

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
        this.#noteChange(channel, channel.history.replace(uuid, editWith(event)))
        break
      case 'message:delete':
        this.#noteChange(channel, channel.history.remove(uuid))
        break
      default: // presence and state changes are not history
    }
    const capacity = channel.settings.store_frames ? this.limits.channelFrames : 0
    this.#noteChange(channel, changeFrame(channel.frames, event))
    channel.frames.push(event, capacity, at)
    this.changes?.event(channel, event.n)
    this.changes?.channelActivity(channel)
  }

  toUser(user: User, event: StoredEvent): void {
    const { lostThrough } = user.frames
    this.#noteChange(user, changeFrame(user.frames, event))
    user.frames.push(event, this.limits.userFrames)
    this.changes?.event(user, event.n)
    if (user.frames.lostThrough > lostThrough) this.changes?.userActivity(user)
  }

  #noteChange(holder: Channel | User, n: number | undefined): void {
    if (n !== undefined) this.changes?.event(holder, n)
  }
}

/** Returns the first message with this uuid in history or frames, or else the newest edit or delete of it. */
function originalIn({ history, frames }: Channel, uuid: string): StoredEvent | undefined {
  const shown = history.find(uuid)
  const kept = frames.about(uuid)
  return shown && (kept?.body.type !== 'message' || shown.n < kept.n) ? shown : kept
}

/** Applies an edit or delete to the message that is kept. Returns the number of that message. */
function changeFrame(frames: ReplayBuffer, event: StoredEvent): number | undefined {
  const { type, uuid } = event.body
  if (type === 'message:edit') return frames.replaceMessage(uuid, editWith(event))
  return type === 'message:delete' ? frames.removeMessage(uuid) : undefined
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
