/**
 * The data of the page: channels and private conversations, with their messages and users. Independent of the DOM.
 *
 * Messages arrive in three ways: as an event, in the answer to a sent message, and in an overview of everything. They
 * are identified by `uuid`, and a higher `revision` is newer. So no message is shown twice, and no old version replaces
 * a newer one.
 */
export const channelKey = (name) => `#${name}`
export const directKey = (name) => `@${name}`

export class Conversations {
  /** @type {Map<string, Conversation>} */
  all = new Map()
  me = ''
  profile = { colour: 'green', status: '' }
  activeKey = channelKey('lobby')
  #deleted = new Set()
  #isAnnounced = false

  /** @param {() => void} changed Called once after a batch of changes, in a microtask. */
  constructor(changed) {
    this.changed = changed
  }

  get active() {
    return this.all.get(this.activeKey)
  }

  get channels() {
    return this.#sorted('channel')
  }

  get directs() {
    return this.#sorted('direct')
  }

  get unread() {
    return [...this.all.values()].reduce((sum, { unread }) => sum + unread, 0)
  }

  announce() {
    if (this.#isAnnounced) return
    this.#isAnnounced = true
    queueMicrotask(() => {
      this.#isAnnounced = false
      this.changed()
    })
  }

  open(key) {
    this.activeKey = key
    this.#ensure(key)
    this.read()
  }

  /** Marks the active conversation as read. */
  read() {
    if (this.active) this.active.unread = 0
    this.announce()
  }

  close(key) {
    this.all.delete(key)
    if (!this.active) this.activeKey = this.channels[0]?.key ?? ''
    this.announce()
  }

  /** Applies the overview of the backend: these rooms and all private conversations. */
  takeOverview({ profile, direct, rooms, upTo }) {
    this.profile = profile
    for (const { name, users, messages } of rooms) {
      const room = this.#ensure(channelKey(name))
      room.users = usersOf(users)
      this.#takeAll(room, messages, upTo)
    }
    for (const { with: name, messages } of direct)
      this.#takeAll(this.#ensure(directKey(name)), messages, upTo)
    this.announce()
  }

  /** Leaves the channels that are not in `names`. */
  keepOnly(names) {
    for (const { kind, name, key } of [...this.all.values()])
      if (kind === 'channel' && !names.includes(name)) this.close(key)
  }

  keyOf({ channel, user, to }) {
    return typeof channel === 'string'
      ? channelKey(channel)
      : directKey(user === this.me ? to : user)
  }

  take(message) {
    this.#take(this.#ensure(this.keyOf(message)), message)
    this.announce()
  }

  /** Applies an edit to a known message. */
  change({ uuid, ...changes }) {
    for (const conversation of this.all.values()) {
      const known = conversation.messages.get(uuid)
      if (known) this.#take(conversation, { ...known, ...changes })
    }
    this.announce()
  }

  delete(uuid) {
    this.#deleted.add(uuid)
    for (const { messages } of this.all.values()) messages.delete(uuid)
    this.announce()
  }

  /** Adds a message before it is sent. */
  draft(message) {
    this.active?.messages.set(message.uuid, { ...message, revision: 0, state: 'sending' })
    this.announce()
  }

  /** Sets the state of a message. `fault`: why sending failed; undefined while sending. */
  mark(key, uuid, fault) {
    const message = this.all.get(key)?.messages.get(uuid)
    if (message && message.state !== 'sent')
      Object.assign(message, { state: fault === undefined ? 'sending' : 'failed', fault })
    this.announce()
  }

  takeUsers(channel, users) {
    const room = this.all.get(channelKey(channel))
    if (room) room.users = usersOf(users)
    this.announce()
  }

  takeState(channel, user, state) {
    const users = this.all.get(channelKey(channel))?.users
    if (users?.has(user)) users.set(user, state)
    if (user === this.me) this.profile = { ...this.profile, ...state }
    this.announce()
  }

  /** The state of a user from any shared channel; undefined if there is none. */
  stateOf(user) {
    const rooms = [...this.all.values()].filter(({ users }) => users.has(user))
    return rooms[0]?.users.get(user)
  }

  #takeAll(conversation, messages, upTo) {
    const current = new Set(messages.map(({ uuid }) => uuid))
    for (const { uuid, n } of [...conversation.messages.values()])
      if (n <= upTo && !current.has(uuid)) conversation.messages.delete(uuid)
    for (const message of messages) this.#take(conversation, message)
    conversation.isLoaded = true
  }

  #take(conversation, message) {
    const { messages } = conversation
    const known = messages.get(message.uuid)
    if (this.#deleted.has(message.uuid) || known?.revision >= message.revision) return
    messages.set(message.uuid, { ...message, state: 'sent', fault: undefined })
    const isSeen = conversation === this.active && document.visibilityState === 'visible'
    if (!known && message.user !== this.me && conversation.isLoaded && !isSeen)
      conversation.unread++
  }

  #ensure(key) {
    const known = this.all.get(key)
    if (known) return known
    const isChannel = key.startsWith('#')
    const made = new Conversation(key, isChannel ? 'channel' : 'direct', key.slice(1))
    // A new private conversation has no history. A newly joined channel has, so its messages are not unread.
    made.isLoaded = !isChannel && this.all.size > 0
    this.all.set(key, made)
    return made
  }

  #sorted(kind) {
    const found = [...this.all.values()].filter((each) => each.kind === kind)
    return found.sort((one, other) => one.name.localeCompare(other.name))
  }
}

class Conversation {
  messages = new Map()
  users = new Map()
  unread = 0
  isLoaded = false

  constructor(key, kind, name) {
    Object.assign(this, { key, kind, name })
  }

  /** The target of messages, as the backend expects it. */
  get target() {
    return this.kind === 'channel' ? { channel: this.name } : { to: this.name }
  }

  /** The messages in order. Unsent messages come last. */
  get ordered() {
    return [...this.messages.values()].sort(
      (one, other) => (one.n ?? Infinity) - (other.n ?? Infinity) || 0,
    )
  }
}

const usersOf = (users) => new Map(users.map(({ user, state }) => [user, state]))
