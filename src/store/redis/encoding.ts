/** The format of records in Redis. Names of fields are short because they may occur a million times. */
import {
  readJson,
  readQuickly,
  writeForQuickReading,
  writeJson,
} from '../../protocol/exact-numbers.ts'
import { formatCursor } from '../../protocol/ids.ts'
import { ChannelSettings } from '../../protocol/requests.ts'
import { EDITABLE, applyEdit } from '../apply-edit.ts'
import { TooManyChannels } from '../user-limits.ts'
import type { Scalar } from '../../protocol/fields.ts'
import type { ChannelName, ConnId, UserName } from '../../protocol/ids.ts'
import type {
  ChannelCounts,
  ChannelRecord,
  Changed,
  ConnectFacts,
  Connected,
  Delivery,
  DropOptions,
  EventBody,
  Membership,
  Publication,
  State,
  StoredEvent,
  UserRecord,
  UserStateChange,
} from '../store.ts'
import type { ChannelLimit } from '../user-limits.ts'

/** The reply of a script. */
export type Reply = string | number | null | readonly Reply[]

// --- calls

/** The arguments of the script `drop`, after the connection. */
export const writeDrop = ({ onlyIfDue = false, reason }: DropOptions): (string | number)[] => [
  onlyIfDue ? 1 : 0,
  JSON.stringify(reason === undefined ? [] : [reason]),
]

// --- settings

/** A letter for each flag that is set. The scripts use the same letters. */
const FLAGS = {
  notify_presence: 'p',
  store_history: 'h',
  broadcast_presence_with_user_lists: 'l',
  notify_state: 's',
  store_frames: 'f',
} as const satisfies Record<Exclude<keyof ChannelSettings, 'history_size' | 'history_ttl'>, string>

const FLAG_NAMES = Object.keys(FLAGS) as (keyof typeof FLAGS)[]

export function writeSettings(settings: ChannelSettings): string {
  const flags = FLAG_NAMES.filter((name) => settings[name]).map((name) => FLAGS[name])
  // The size comes first: servers of older versions know nothing of what follows it.
  const { history_size: size, history_ttl: ttl } = settings
  return `${flags.join('')}${size}${ttl > 0 ? `t${ttl}` : ''}`
}

export function readSettings(text: string): ChannelSettings {
  const has = (name: keyof typeof FLAGS): boolean => text.includes(FLAGS[name])
  return {
    notify_presence: has('notify_presence'),
    store_history: has('store_history'),
    history_size: Number(/\d+/.exec(text)?.[0]),
    broadcast_presence_with_user_lists: has('broadcast_presence_with_user_lists'),
    notify_state: has('notify_state'),
    store_frames: has('store_frames'),
    history_ttl: Number(/t(\d+)/.exec(text)?.[1] ?? 0),
  }
}

// --- users

/** Returns alternating keys and values, each in JSON. */
export const writeState = (state: State): string[] =>
  Object.entries(state).flatMap(([key, value]) => [JSON.stringify(key), writeJson(value)])

export function readStateChange(reply: Reply): UserStateChange | 'state-too-large' | undefined {
  if (reply === null) return undefined
  if (reply === 'state-too-large') return reply
  const [user, changed] = reply as [Reply, readonly string[]]
  return { user: knownUser(user), changed: readChanges(changed) }
}

function readChanges(pairs: readonly string[]): Changed[] {
  return pairsOf(pairs).map(([key, value]) => ({
    key: JSON.parse(key) as string,
    value: readJson(value) as Scalar,
  }))
}

/** Reads `[name, fields of the hash, connections?]`; undefined if the user does not exist. */
export function readUser(reply: Reply): UserRecord | undefined {
  const [name, fields, connections] = reply as [UserName, readonly string[], ConnId[]?]
  let uuid: string | undefined
  let publicKeys: readonly string[] = []
  const entries: [string, Scalar][] = []
  for (const [field, value] of pairsOf(fields)) {
    if (field === 'i') uuid = value
    else if (field === 'k') publicKeys = JSON.parse(value) as string[]
    else if (field.startsWith('"'))
      entries.push([JSON.parse(field) as string, readJson(value) as Scalar])
  }
  if (uuid === undefined) return undefined
  const shown = new Set(publicKeys)
  const publicState = Object.fromEntries(entries.filter(([key]) => shown.has(key)))
  const record = { name, uuid, state: Object.fromEntries(entries), publicState, publicKeys }
  return connections ? { ...record, connections } : record
}

/** Reads a list of users, without those that do not exist. */
export const readUsers = (reply: Reply): UserRecord[] =>
  (reply as readonly Reply[]).flatMap((record) => readUser(record) ?? [])

// --- channels

/** Reads `[name, uuid, settings, lastActive, connections, members, userCount, history, after?, through?]`. */
export function readChannel(reply: Reply, epoch: string): ChannelRecord {
  const [name, uuid, settings, lastActive, connections, users, ...rest] = reply as [
    ...[ChannelName, string, string, string, string, UserName[]],
    ...[number, string[], number | undefined, number | undefined],
  ]
  const [userCount, history, after, through] = rest
  const isWhole = after === undefined || through === undefined
  return {
    name,
    uuid,
    settings: readSettings(settings),
    lastActive: Number(lastActive),
    connections: Number(connections),
    users,
    history: history.map((text) => readEvent(text, epoch)),
    moreHistory: isWhole ? undefined : { after, through },
    ...(userCount >= 0 && { userCount }),
  }
}

/** Reads alternating connections and users of these channels. */
export function readCounts(names: readonly ChannelName[], reply: Reply): ChannelCounts[] {
  const numbers = reply as readonly number[]
  return names.flatMap((name, index) => {
    const [connections = -1, users = 0] = [numbers[2 * index], numbers[2 * index + 1]]
    return connections < 0 ? [] : [{ name, connections, users }]
  })
}

// --- arguments and replies of scripts

const DEFAULT_SETTINGS = writeSettings(ChannelSettings.parse({}))

/** The arguments of the script `connect`. */
export const writeConnect = (facts: ConnectFacts): (string | number)[] => [
  ...[facts.connId, facts.user, facts.waitMs, JSON.stringify(facts.publicKeys)],
  crypto.randomUUID(),
  ...[facts.maxConnections ?? 0, facts.maxChannels ?? 0],
  ...counted(writeState(facts.freshState)),
  ...counted(writeState(facts.state)),
  ...writeChannels(facts.channels, facts.settings),
]

export function readConnected(reply: Reply): Connected {
  const [outcome, user] = reply as [Connected['outcome'], Reply]
  return outcome === 'connected' ? { outcome, user: knownUser(user) } : { outcome }
}

/** The arguments of the script `join`, after the connection. */
export const writeJoin = (
  channels: readonly ChannelName[],
  settings: ReadonlyMap<ChannelName, ChannelSettings>,
  limit: ChannelLimit | undefined,
): (string | number)[] => [
  limit?.maxChannels ?? 0,
  ...counted(limit?.unlimited ?? []),
  ...writeChannels(channels, settings),
]

/** Each channel has a UUID, in case it has to be created. */
export function writeChannels(
  names: readonly ChannelName[],
  settings: ReadonlyMap<ChannelName, ChannelSettings>,
): string[] {
  const channels = names.flatMap((name) => {
    const given = settings.get(name)
    return [name, crypto.randomUUID(), given ? writeSettings(given) : DEFAULT_SETTINGS]
  })
  return [String(names.length), ...channels]
}

export function readMembership(reply: Reply): Membership | undefined {
  if (reply === null) return undefined
  const [user, changed, channels] = reply as [Reply, readonly ChannelName[], readonly ChannelName[]]
  return { user: knownUser(user), changed, channels }
}

/** Reads the reply of `join`. Throws `TooManyChannels` for a refusal: the name of the user in place of a record. */
export function readJoined(reply: Reply): Membership | undefined {
  if (typeof reply === 'string') throw new TooManyChannels(reply as UserName)
  return readMembership(reply)
}

function knownUser(reply: Reply): UserRecord {
  const user = readUser(reply)
  if (!user) throw new Error('a user whose connection is known is not known itself')
  return user
}

// --- publications

// --- events

const NO_EDIT = ['0']

/** Writes one publication as arguments of `publish.lua`. */
export function writePublication({ body, delivery, users, channels }: Publication): string[] {
  // The event is stored once per user. Without the list of all users, which the topics already say, it stays small.
  const kept = users ? { ...delivery, pmUsers: [] } : delivery
  const { text, target } = channels
    ? writeForChannels(body, channels)
    : {
        text: writeForQuickReading(body),
        target: users ? ['users', ...counted(users)] : writeTarget(body.channel),
      }
  const edited =
    body.type === 'message:edit' ? counted(EDITABLE.map((key) => optionalJson(body[key]))) : NO_EDIT
  return [
    body.type,
    body.uuid,
    kept.noHistory ? '1' : '0',
    `${text}\n${writeDelivery(kept)}`,
    ...edited,
    ...counted(kept.pmUsers),
    ...counted(kept.excludeUsers),
    ...target,
  ]
}

/** The script puts each channel between the head of the target and the text, so that the body is written once. */
function writeForChannels(body: EventBody, channels: readonly ChannelName[]) {
  const text = writeForQuickReading({ ...body, channel: undefined })
  const start = text.indexOf('{') + 1
  const head = `${text.slice(0, start)}"channel":`
  return { text: `,${text.slice(start)}`, target: ['channels', head, ...counted(channels)] }
}

const writeTarget = (channel: ChannelName | null): string[] =>
  channel === null ? ['nobody'] : ['channel', channel]

const optionalJson = (value: unknown): string => (value === undefined ? '' : writeJson(value))

/** Puts the length of a list before it. */
export const counted = (values: readonly string[]): string[] => [String(values.length), ...values]

/** Writes an event that was numbered elsewhere, as the lines that `events.lua` describes. */
export const writeEvent = (n: number, body: EventBody, delivery: Delivery): string =>
  `${n}\n${body.type}\n${body.uuid}\n${writeForQuickReading(body)}\n${writeDelivery(delivery)}`

/** Adds the line with the time at which the event was published, and those of the edited values before it. */
export const withTime = (event: string, at: number): string =>
  `${event}${'\n'.repeat(EDITABLE.length + 1)}${at}`

/** Undefined for an event without a time. */
export function timeOf(event: string): number | undefined {
  const time = /\n(\d+)$/.exec(event.slice(-24))?.[1]
  return time === undefined ? undefined : Number(time)
}

/** Empty for the most frequent delivery: to everybody. */
function writeDelivery({ pmUsers, excludeUsers, noHistory, philote }: Delivery): string {
  const isPlain = pmUsers.length === 0 && excludeUsers.length === 0 && !noHistory && !philote
  return isPlain ? '' : JSON.stringify({ pmUsers, excludeUsers, noHistory, philote })
}

const PLAIN: Delivery = { pmUsers: [], excludeUsers: [], noHistory: false }

/** Types of events whose bodies scripts build from stored users. */
const MADE_BY_SCRIPTS = new Set<string>([
  'presence',
  'user_state_change',
] satisfies EventBody['type'][])

/** Reads the lines that `events.lua` describes. */
export function readEvent(text: string, epoch: string): StoredEvent {
  const [number = '', type = '', , bodyText = '', deliveryText, ...more] = text.split('\n')
  const n = Number(number)
  const body = (MADE_BY_SCRIPTS.has(type) ? readJson : readQuickly)(bodyText) as EventBody
  const delivery = deliveryText ? (JSON.parse(deliveryText) as Delivery) : PLAIN
  const event = { n, id: formatCursor({ epoch, n }), body, delivery }
  const edited = more.slice(0, EDITABLE.length)
  return edited.every((line) => line === '') ? event : applyEdit(event, readEdit(edited))
}

/** Reads an event on the topics of these users. */
export const readPrivate = (text: string, epoch: string, pmUsers: readonly UserName[]) => {
  const event = readEvent(text, epoch)
  return { ...event, delivery: { ...event.delivery, pmUsers } }
}

/** Reads one line per editable key; empty if the key was not changed. */
const readEdit = (lines: readonly string[]) =>
  Object.fromEntries(
    EDITABLE.flatMap((key, index) => {
      const value = lines[index]
      return value ? [[key, readJson(value)]] : []
    }),
  )

function pairsOf(flat: readonly string[]): (readonly [string, string])[] {
  const pairs: (readonly [string, string])[] = []
  for (let index = 0; index + 1 < flat.length; index += 2)
    pairs.push([flat[index] as string, flat[index + 1] as string])
  return pairs
}
