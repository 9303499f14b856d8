/** A model of the server, as simple as possible: it computes every number on demand. */
import { ChannelSettings } from '../../src/protocol/requests.ts'
import { ModelLog, allows, applyEdit } from './model-log.ts'
import { CHANNELS } from './operations.ts'
import type { Filter, View } from './model-log.ts'
import type { OperationNamed } from './operations.ts'

export interface ModelTimes {
  readonly gcConnsMs: number
  readonly resumeWindowMs: number
  readonly gcUsersMs: number
  readonly gcChannelsMs: number
}

export interface ModelOptions extends ModelTimes {
  readonly channelFrames: number
  readonly userFrames: number
}

/** The expected events of one sink. */
export interface Listener {
  readonly kind: 'stream' | 'poll'
  readonly received: Expected[]
  /** Events that wait for the end of the turn, or for a slow consumer. */
  pending: Expected[]
  isWritable: boolean
  /** The connection's cursor before this sink got an event. */
  readonly startedAt: number
  /** When `pending` has arrived, no event up to this number is missing. */
  readonly caughtUpTo: number
  readonly gap: { readonly required: readonly string[]; readonly allowed: readonly string[] }
  /** Missed events may be lost. A client that opens the connection for the first time gets no `gap` for them. */
  readonly isPatchy: boolean
}

export interface Expected {
  readonly n: number
  readonly view: View
}

export interface ModelConnection {
  readonly id: string
  readonly user: string
  /** With the number of the newest event at the join. */
  readonly channels: Map<string, number>
  cursor: number
  wasOpened: boolean
  listener: Listener | undefined
  dueAt: number | undefined
}

export interface ModelUser {
  state: Record<string, unknown>
  publicKeys: readonly string[]
  dueAt: number | undefined
}

interface StoredMessage {
  readonly n: number
  readonly filter: Filter
  readonly noHistory: boolean
  view: View
}

export interface ModelChannel {
  settings: ChannelSettings
  history: StoredMessage[]
  /** For removed users and connections: the event number at their next join, where catching up starts. */
  readonly floors: Map<string, number>
  dueAt: number | undefined
}

type Delivered = Pick<OperationNamed<'post'>['request'][number], 'pm_users' | 'exclude_users'> & {
  readonly channel: string | null
}
type ConnectRequest = OperationNamed<'connect'>['request']
type Configs = ConnectRequest['channel_configs']

/** The floor of a user or connection that was removed and has not joined again. */
const REMOVED = Infinity

const TYPES_WITH_CATCHUP = ['message', 'presence', 'user_state_change']

export class Model {
  readonly users = new Map<string, ModelUser>()
  readonly channels = new Map<string, ModelChannel>()
  readonly connections = new Map<string, ModelConnection>()
  readonly log = new ModelLog()
  messages = 0
  deliveries = 0
  now = 0

  constructor(readonly options: ModelOptions) {}

  // --- membership

  connect(request: ConnectRequest): ModelConnection {
    const { conn_id: id, username } = request
    const isNew = !this.users.has(username)
    if (isNew) this.log.made(`u:${username}`)
    const user = this.users.get(username) ?? { state: {}, publicKeys: [], dueAt: undefined }
    this.users.set(username, user)
    user.publicKeys = request.state_public_keys
    if (isNew) change(user, request.fresh_user_state)
    change(user, request.user_state)
    const connection = this.connections.get(id) ?? this.#newConnection(id, username)
    user.dueAt = undefined
    if (!connection.listener) connection.dueAt = this.now + this.options.gcConnsMs
    this.join(connection, [...request.channels].sort(), request.channel_configs)
    return connection
  }

  join(connection: ModelConnection, names: readonly string[], configs: Configs): string[] {
    const joined = [...new Set(names)].filter((name) => !connection.channels.has(name))
    const since = connection.wasOpened ? this.log.head : 0
    const told = joined.flatMap((name) => {
      this.makeChannel(name, configs[name as 'a'] ?? {})
      const isFirst = !this.membersOf(name).includes(connection.user)
      connection.channels.set(name, Math.max(since, this.#floorOf(name, connection)))
      this.#touch(name)
      return isFirst ? this.#presence(name, connection.user, 'joined') : []
    })
    for (const view of told) this.#announceInChannel(view, { pm: [], exclude: [connection.user] })
    return joined
  }

  /** A removal: events before the next join are not delivered. */
  remove(connection: ModelConnection, names: readonly string[]): string[] {
    const left = this.leave(connection, names)
    for (const name of left) {
      const floors = this.channels.get(name)?.floors
      if (!this.membersOf(name).includes(connection.user)) floors?.set(connection.user, REMOVED)
      else if (!connection.wasOpened) floors?.set(connection.id, REMOVED)
    }
    return left
  }

  #floorOf(name: string, { user, id }: ModelConnection): number {
    const floors = this.channels.get(name)?.floors ?? new Map<string, number>()
    for (const [who, floor] of floors)
      if (floor === REMOVED && (who === user || who === id)) floors.set(who, this.log.head)
    return Math.max(floors.get(user) ?? 0, floors.get(id) ?? 0)
  }

  leave(connection: ModelConnection, names: readonly string[]): string[] {
    const left = [...new Set(names)].filter((name) => connection.channels.has(name))
    const told = left.flatMap((name) => {
      connection.channels.delete(name)
      this.#touch(name)
      const isLast = !this.membersOf(name).includes(connection.user)
      return isLast ? this.#presence(name, connection.user, 'parted') : []
    })
    for (const view of told) this.#announceInChannel(view, { pm: [], exclude: [connection.user] })
    return left
  }

  end(connection: ModelConnection): void {
    this.connections.delete(connection.id)
    connection.listener = undefined
    this.leave(connection, this.#inOrderOfCreation(connection.channels.keys()))
    this.#touchUser(connection.user)
  }

  #inOrderOfCreation(names: Iterable<string>): string[] {
    const wanted = new Set(names)
    return [...this.channels.keys()].filter((name) => wanted.has(name))
  }

  connectionsIn(name: string): ModelConnection[] {
    return [...this.connections.values()].filter(({ channels }) => channels.has(name))
  }

  connectionsOf(user: string): ModelConnection[] {
    return [...this.connections.values()].filter((connection) => connection.user === user)
  }

  /** Sorted. */
  membersOf(name: string): string[] {
    return [...new Set(this.connectionsIn(name).map(({ user }) => user))].sort()
  }

  publicState(name: string): View {
    const { state = {}, publicKeys = [] } = this.users.get(name) ?? {}
    return Object.fromEntries(Object.entries(state).filter(([key]) => publicKeys.includes(key)))
  }

  // --- channels and users

  makeChannel(name: string, settings: object): ModelChannel {
    const known = this.channels.get(name)
    if (known) return known
    const channel: ModelChannel = {
      settings: ChannelSettings.parse(settings),
      history: [],
      floors: new Map(),
      dueAt: undefined,
    }
    this.channels.set(name, channel)
    this.log.made(`c:${name}`)
    return channel
  }

  configure(name: string, settings: object): void {
    const channel = this.makeChannel(name, settings)
    channel.settings = ChannelSettings.parse(settings)
    trim(channel)
    this.#touch(name)
  }

  setState({ user: name, user_state, state_public_keys }: OperationNamed<'state'>['request']) {
    const user = this.users.get(name) as ModelUser
    const changed = change(user, user_state)
    user.publicKeys = state_public_keys ?? user.publicKeys
    this.#touchUser(name)
    const state = this.publicState(name)
    const shown = changed.filter(({ key }) => Object.hasOwn(state, key))
    const mine = new Set(this.connectionsOf(name).flatMap(({ channels }) => [...channels.keys()]))
    for (const channel of changed.length > 0 ? this.#inOrderOfCreation(mine) : []) {
      if (!this.channels.get(channel)?.settings.notify_state) continue
      const message = { state, changed: shown }
      this.#announceInChannel({ type: 'user_state_change', channel, user: name, message })
    }
    return changed
  }

  forgetChannel(name: string): void {
    this.channels.delete(name)
    this.log.forgotten(`c:${name}`)
  }

  forgetUser(name: string): void {
    this.users.delete(name)
    this.log.forgotten(`u:${name}`)
  }

  // --- events

  /** A message, an edit or a delete. */
  publish(view: View, delivered: Delivered & { readonly no_history?: boolean }): void {
    const {
      channel,
      pm_users: pm,
      exclude_users: exclude,
      no_history: noHistory = false,
    } = delivered
    if (channel === null) return this.#announceToUsers(view, { pm, exclude })
    const filter = this.#filterOf(channel, view, { pm, exclude })
    this.#keepHistory(channel, { n: this.log.head + 1, filter, noHistory, view })
    this.#announceInChannel(view, filter)
  }

  /** An edit or delete without `pm` goes to the audience of its message. */
  #filterOf(name: string, { type, uuid }: View, named: Filter): Filter {
    if (type === 'message' || named.pm.length > 0) return named
    const shown = this.channels.get(name)?.history.find(({ view }) => view['uuid'] === uuid)
    const kept = this.log.about(`c:${name}`, uuid)
    const isShownFirst = kept?.view['type'] !== 'message' || (shown && shown.n < kept.n)
    const original = shown && isShownFirst ? shown : kept
    if (!original) return named
    return { pm: original.filter.pm, exclude: [...original.filter.exclude, ...named.exclude] }
  }

  #keepHistory(name: string, message: StoredMessage): void {
    const channel = this.channels.get(name)
    if (!channel) return
    const { type, uuid } = message.view
    const target = channel.history.find(({ view }) => view['uuid'] === uuid)
    if (type === 'message:edit' && target) target.view = applyEdit(target.view, message.view)
    if (type === 'message:delete')
      channel.history = channel.history.filter((stored) => stored !== target)
    if (type !== 'message' || !channel.settings.store_history || message.noHistory) return
    channel.history.push(message)
    trim(channel)
  }

  #announceInChannel(view: View, filter: Filter = { pm: [], exclude: [] }): void {
    const name = view['channel'] as string
    const channel = this.channels.get(name)
    if (!channel) return
    this.#touch(name)
    const audience = this.connectionsIn(name).filter(({ user }) => allows(filter, user))
    const capacity = channel.settings.store_frames ? this.options.channelFrames : 0
    const n = ++this.log.head
    this.log.keep(`c:${name}`, { n, filter, view }, capacity)
    this.#deliver(audience, n, view)
  }

  #announceToUsers(view: View, filter: Filter): void {
    const names = [...new Set(filter.pm)].filter(
      (name) => this.users.has(name) && allows(filter, name),
    )
    if (names.length === 0) return
    const n = ++this.log.head
    for (const name of names) {
      this.log.keep(`u:${name}`, { n, filter, view }, this.options.userFrames)
      this.#touchUser(name)
    }
    this.#deliver(
      names.flatMap((name) => this.connectionsOf(name)),
      n,
      view,
    )
  }

  #deliver(audience: readonly ModelConnection[], n: number, view: View): void {
    if (view['type'] === 'message') this.deliveries += audience.length
    const catchup = TYPES_WITH_CATCHUP.includes(view['type'] as string) ? false : undefined
    for (const { listener } of audience) listener?.pending.push({ n, view: { ...view, catchup } })
  }

  #presence(channel: string, user: string, action: 'joined' | 'parted'): View[] {
    const { settings } = this.channels.get(channel) as ModelChannel
    if (!settings.notify_presence) return []
    const members = this.membersOf(channel)
    const listed = settings.broadcast_presence_with_user_lists
    const users = members.map((name) => ({ user: name, state: this.publicState(name) }))
    const state = action === 'joined' ? this.publicState(user) : null
    return [
      {
        type: 'presence',
        ...{ channel, user, state, message: { action } },
        ...{ users: listed ? users : [], users_total: listed ? users.length : undefined },
      },
    ]
  }

  // --- time

  #newConnection(id: string, user: string): ModelConnection {
    const fresh = { cursor: this.log.head, wasOpened: false, listener: undefined, dueAt: undefined }
    const connection = { id, user, channels: new Map<string, number>(), ...fresh }
    this.connections.set(id, connection)
    return connection
  }

  #touch(name: string): void {
    const channel = this.channels.get(name)
    const isEmpty = this.connectionsIn(name).length === 0
    if (channel) channel.dueAt = isEmpty ? this.now + this.options.gcChannelsMs : undefined
  }

  #touchUser(name: string): void {
    const user = this.users.get(name)
    const isGone = this.connectionsOf(name).length === 0
    if (user) user.dueAt = isGone ? this.now + this.options.gcUsersMs : undefined
  }
}

/** Sets the keys that differ. A missing key equals null. */
function change(user: ModelUser, wanted: Readonly<Record<string, unknown>>) {
  const changed = Object.entries(wanted)
    .filter(([key, value]) => (user.state[key] ?? null) !== value)
    .map(([key, value]) => ({ key, value }))
  for (const { key, value } of changed) user.state[key] = value
  return changed
}

function trim(channel: ModelChannel): void {
  const { history_size: size } = channel.settings
  channel.history = size > 0 ? channel.history.slice(-size) : []
}

export const everyTopic = (user: string): string[] => [
  `u:${user}`,
  ...CHANNELS.map((name) => `c:${name}`),
]
