/**
 * The records of a snapshot: what a store keeps, in a form that does not depend on the store. One JSON object per line,
 * see docs/durability.md. Times are milliseconds since 1970, by the calendar.
 */
import { z } from 'zod'
import { readJson, writeJson } from '../../protocol/exact-numbers.ts'
import { ChannelSettings } from '../../protocol/requests.ts'
import { SnapshotError } from './snapshot-error.ts'
import type { ChannelName, ConnId, UserName } from '../../protocol/ids.ts'
import type { Delivery, EventBody, State } from '../store.ts'

/** A newer version that cannot be read by this one has a larger number. */
export const FORMAT = 1

const count = z.int().min(0)
const time = z.number().min(0)
const channelName = z.string().transform((name) => name as ChannelName)
const userName = z.string().transform((name) => name as UserName)

/** Exact numbers are functions, see exact-numbers.ts: these are passed on as they are. */
const body = z.custom<EventBody>((value) => {
  const { type, uuid } = (value ?? {}) as Partial<Record<'type' | 'uuid', unknown>>
  return typeof type === 'string' && typeof uuid === 'string'
}, 'has to be an object with type and uuid')
const state = z.custom<State>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'has to be an object',
)

const delivery = z
  .strictObject({
    pm_users: z.array(userName).default([]),
    exclude_users: z.array(userName).default([]),
    no_history: z.boolean().default(false),
    philote: z.custom<Delivery['philote']>((value) => typeof value === 'object').optional(),
  })
  .prefault({})

/** The first record. */
const Head = z.strictObject({
  type: z.literal('snapshot'),
  format: z.literal(FORMAT),
  /** Of the server that the snapshot is from. */
  version: z.string(),
  taken_at: time,
  epoch: z.string().regex(/^[\da-f]{1,32}$/),
  /** The number of the newest event. */
  head: count,
  /** Events up to this number may have been in channels and of users that do not exist any more. */
  forgotten_through: count,
  messages: count,
  deliveries: count,
  /** The number of the newest event for webhooks. */
  newest_webhook: count,
})

const User = z.strictObject({
  type: z.literal('user'),
  name: userName,
  uuid: z.string(),
  state,
  public_keys: z.array(z.string()),
  /** Private events up to this number are gone. */
  lost_through: count,
  webhook_seq: count,
})

/** Channels are in the order of their creation. */
const Channel = z.strictObject({
  type: z.literal('channel'),
  name: channelName,
  uuid: z.string(),
  settings: ChannelSettings,
  last_active: time,
  /** Events up to this number are gone from the replay buffer. */
  lost_through: count,
  webhook_seq: count,
  /**
   * Who was removed, the one that changed last at the end: `u:user` or `n:conn_id`, and the number of the newest event at
   * the next join (null: not joined again since).
   */
  removals: z.array(z.tuple([z.string(), count.nullable()])),
})

/** The events of a channel are in the order of their numbers, separately in its history and in its replay buffer. */
const ChannelEvent = z.strictObject({
  type: z.literal('event'),
  channel: channelName,
  n: count,
  /** When it was published. */
  at: time,
  in: z.enum(['history', 'replay', 'both']),
  body,
  delivery,
})

/** An event in the replay buffers of these users. */
const PrivateEvent = z.strictObject({
  type: z.literal('private_event'),
  n: count,
  users: z.array(userName).min(1),
  body,
  delivery,
})

/** A connection without a client, which waits for it. */
const Connection = z.strictObject({
  type: z.literal('connection'),
  id: z.string().transform((id) => id as ConnId),
  user: userName,
  /** The number of the last event that its client has. */
  cursor: count,
  /** Whether a client has opened it before. */
  opened: z.boolean(),
  /** The number after which it gets events of each channel. */
  channels: z.array(z.tuple([channelName, count])),
})

/** An idempotency key of messages that were published. */
const PublishedKey = z.strictObject({
  type: z.literal('published_key'),
  key: z.string(),
  /** How long it is kept, in milliseconds. */
  time_left: z.number(),
})

/** The last record. */
const End = z.strictObject({
  type: z.literal('end'),
  /** How many records there are before this one. */
  records: count,
})

const TYPES = [
  Head,
  User,
  Channel,
  ChannelEvent,
  PrivateEvent,
  Connection,
  PublishedKey,
  End,
] as const
const AnyRecord = z.discriminatedUnion('type', TYPES)

export type SnapshotHead = z.infer<typeof Head>
export type UserRecord = z.infer<typeof User>
export type ChannelRecord = z.infer<typeof Channel>
export type ChannelEventRecord = z.infer<typeof ChannelEvent>
export type PrivateEventRecord = z.infer<typeof PrivateEvent>
export type ConnectionRecord = z.infer<typeof Connection>
/** Everything between head and end. */
export type Item =
  | UserRecord
  | ChannelRecord
  | ChannelEventRecord
  | PrivateEventRecord
  | ConnectionRecord
  | z.infer<typeof PublishedKey>
export type AnyRecord = SnapshotHead | Item | z.infer<typeof End>

type DeliveryRecord = ChannelEventRecord['delivery']

export const deliveryRecord = (given: Delivery): DeliveryRecord => ({
  pm_users: [...given.pmUsers],
  exclude_users: [...given.excludeUsers],
  no_history: given.noHistory,
  ...(given.philote && { philote: given.philote }),
})

export const deliveryOf = (record: DeliveryRecord): Delivery => ({
  pmUsers: record.pm_users,
  excludeUsers: record.exclude_users,
  noHistory: record.no_history,
  ...(record.philote && { philote: record.philote }),
})

/** Most messages are for everybody: their delivery is left out. */
const PLAIN = JSON.stringify(delivery.parse({}))

export const writeRecord = (record: AnyRecord): string => {
  const isPlain = 'delivery' in record && JSON.stringify(record.delivery) === PLAIN
  return `${writeJson(isPlain ? { ...record, delivery: undefined } : record)}\n`
}

/** Throws `SnapshotError`. */
export function readRecord(line: string): AnyRecord {
  let given: unknown
  try {
    given = readJson(line)
  } catch {
    throw new SnapshotError('is not JSON')
  }
  const { type, format, version } = (given ?? {}) as Partial<SnapshotHead>
  if (type === 'snapshot' && Number(format) > FORMAT)
    throw new SnapshotError(
      `is of Channelstream ${String(version)}, in format ${String(format)}. This version reads formats up to ${FORMAT}`,
    )
  const { success, data, error } = AnyRecord.safeParse(given)
  if (success) return data
  const [issue] = error.issues
  const where = issue && issue.path.length > 0 ? `${issue.path.join('.')}: ` : ''
  throw new SnapshotError(`is not a record of a snapshot: ${where}${issue?.message ?? ''}`)
}
