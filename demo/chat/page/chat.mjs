/** The chat page: signs in, keeps a connection, and wires the parts together. */
import { ask } from './backend.mjs'
import { Banner } from './banner.mjs'
import { ChannelstreamConnection } from './channelstream.js'
import { Conversations, channelKey, directKey } from './conversations.mjs'
import { prepareDialogs, prepareJoining, prepareStatus } from './dialogs.mjs'
import { element, find, nameOf } from './elements.mjs'
import { MessageList } from './messages.mjs'
import { showMe, showPeople, showPlaces } from './sidebars.mjs'
import { Typing } from './typing.mjs'

const STARTING_CHANNELS = ['lobby', 'random']
/** The limit of the backend for one request, such as a reconnect with all channels. */
const MAX_CHANNELS = 50
const conversations = new Conversations(() => show())
const typing = new Typing(() => show())
const banner = new Banner()
const messages = new MessageList({
  edit: (uuid, text) =>
    attempt(async () => conversations.change(await ask('edit', { uuid, text }))),
  delete: (uuid) => attempt(() => remove(uuid)),
  retry: (uuid) => {
    const { text } = conversations.active.messages.get(uuid)
    void send(conversations.active, { uuid, text })
  },
  discard: (uuid) => conversations.delete(uuid),
  done: () => {
    find('said').focus()
    conversations.announce()
  },
})
/** Channels are stored for the next visit. */
const remembered = {
  get: () =>
    (JSON.parse(localStorage.getItem('channels')) ?? STARTING_CHANNELS).slice(0, MAX_CHANNELS),
  set: (channels) => localStorage.setItem('channels', JSON.stringify(channels)),
}
let connection

// --- sign-in

async function begin() {
  prepare()
  const session = await ask('session').catch((error) => {
    find('sign-in-fault').textContent = error.message
  })
  if (session?.user) return enter(session)
  find('welcome').hidden = false
  find('your-name').focus()
}

async function enter({ user, server }) {
  conversations.me = user
  connection = connectTo(server)
  find('welcome').hidden = true
  find('chat').hidden = false
  conversations.open(channelKey(connection.channels[0] ?? 'lobby'))
  find('said').focus()
  // The banner shows a failure, and the client retries.
  await connection.connect().catch(() => {})
}

find('sign-in').onsubmit = async (event) => {
  event.preventDefault()
  find('sign-in-fault').textContent = ''
  try {
    await enter(await ask('sign-in', { name: find('your-name').value }))
  } catch (error) {
    find('sign-in-fault').textContent = error.message
  }
}

// --- the connection

function connectTo(server) {
  const made = new ChannelstreamConnection({
    channels: remembered.get(),
    connectUrl: '/chat/api/connect',
    subscribeUrl: '/chat/api/subscribe',
    unsubscribeUrl: '/chat/api/unsubscribe',
    disconnectUrl: `${server}/disconnect`,
    websocketUrl: `${server}/ws`,
    longPollUrl: `${server}/listen`,
    noWebsocket: new URLSearchParams(location.search).get('transport') === 'poll',
  })
  made.connectCallback = (_request, answer) => conversations.takeOverview(answer)
  made.connectErrorCallback = ({ status }) => {
    // The backend does not know the session: it was restarted.
    if (status === 401) location.reload()
  }
  made.channelsChangedCallback = (channels) => {
    conversations.keepOnly(channels)
    remembered.set(channels)
  }
  made.on('status', (status) => banner.show(status))
  made.on('message', receive)
  made.on('message:edit', ({ uuid, message }) => conversations.change({ uuid, ...message }))
  made.on('message:delete', ({ uuid }) => conversations.delete(uuid))
  made.on('presence', ({ channel, users }) => conversations.takeUsers(channel, users))
  made.on('user_state_change', ({ channel, user, message }) =>
    conversations.takeState(channel, user, message.state),
  )
  made.on('gap', () => attempt(reload))
  return made
}

function receive({ uuid, user, channel, message, catchup }) {
  const key = conversations.keyOf({ channel, user, to: message.to })
  if (message.typing) {
    if (!catchup) typing.note(key, user)
    return
  }
  typing.stopped(key, user)
  conversations.take({ uuid, user, channel: channel ?? undefined, ...message })
}

/** Events were missed that the server no longer keeps. The backend has all messages. */
async function reload() {
  conversations.takeOverview(await ask('overview', { channels: connection.channels }))
}

// --- actions

async function send(conversation, { uuid, text }) {
  conversations.mark(conversation.key, uuid)
  try {
    conversations.take(await ask('say', { uuid, text, ...conversation.target }))
  } catch (error) {
    conversations.mark(conversation.key, uuid, error.message)
  }
}

async function remove(uuid) {
  try {
    await ask('delete', { uuid })
  } catch (error) {
    if (error.status !== 404) throw error // 404: already deleted
  }
  conversations.delete(uuid)
}

/** Runs an action and shows its error. Returns whether it succeeded. */
async function attempt(action) {
  find('notice').textContent = ''
  try {
    await action()
    return true
  } catch (error) {
    find('notice').textContent = error.message
    return false
  }
}

async function join(name) {
  const [joined] = await subscribe(name.trim().replace(/\s+/g, ' ').normalize('NFC'))
  open(channelKey(joined))
}

async function subscribe(name) {
  if (connection.channels.includes(name)) return [name]
  if (connection.channels.length >= MAX_CHANNELS)
    throw new Error(`You are in ${MAX_CHANNELS} channels. Leave one first.`)
  // The answer has the channel's normalized name and its messages.
  const answer = await connection.subscribe([name]).catch(refuse)
  conversations.takeOverview(answer)
  return answer.rooms.map((room) => room.name)
}

/** Turns an error of the Channelstream client into the backend's error text for people. */
function refuse(error) {
  throw new Error(error.answer?.error ?? 'The backend cannot be reached.', { cause: error })
}

async function leave() {
  const { kind, key, name } = conversations.active
  if (kind === 'channel') await connection.unsubscribe([name]).catch(refuse)
  conversations.close(key)
  showPane('places')
}

function open(key) {
  conversations.open(key)
  showPane('talk')
  show()
  find('said').focus()
}

function openNext(step) {
  const keys = [...conversations.channels, ...conversations.directs].map(({ key }) => key)
  const at = keys.indexOf(conversations.activeKey)
  if (keys.length > 0) open(keys[(at + step + keys.length) % keys.length])
}

// --- rendering

/** A phone shows only one of `places`, `talk` and `people`. */
const showPane = (pane) => (find('chat').dataset.pane = pane)

function show() {
  const { active, me, unread } = conversations
  document.title = `${unread > 0 ? `(${unread}) ` : ''}${active ? titleOf(active) : 'Chat'}`
  showPlaces(conversations, open)
  showPeople(conversations, (name) => open(directKey(name)))
  showMe(conversations)
  find('to-places').dataset.unread = String(unread)
  find('said').disabled = find('leave').disabled = !active
  if (!active) return showNothing()
  const isChannel = active.kind === 'channel'
  find('title').replaceChildren(
    element('span', { className: 'hash' }, isChannel ? '#' : '@'),
    nameOf(active.name),
  )
  find('leave').textContent = isChannel ? 'Leave' : 'Close'
  find('said').placeholder = `Message to ${titleOf(active)}`
  find('typing').replaceChildren(...typing.wordsFor(active.key))
  messages.show(active, me)
}

/** Shown when no conversation is open. */
function showNothing() {
  find('title').replaceChildren('No conversation')
  find('said').placeholder = ''
  find('typing').replaceChildren()
  messages.clear()
}

const titleOf = ({ kind, name }) => (kind === 'channel' ? `#${name}` : name)

// --- setup

function prepare() {
  prepareDialogs()
  const openJoining = prepareJoining(conversations, join)
  prepareStatus(conversations, async (profile) => {
    conversations.profile = await ask('profile', profile)
    conversations.announce()
  })
  prepareComposer()
  find('leave').onclick = () => attempt(leave)
  find('try-now').onclick = () => void connection.connect()
  find('to-places').onclick = () => showPane('places')
  find('to-people').onclick = () => showPane('people')
  find('from-people').onclick = find('from-places').onclick = () => showPane('talk')
  find('sign-out').onclick = () =>
    attempt(async () => {
      await ask('sign-out')
      localStorage.removeItem('channels')
      await connection.disconnect()
      location.reload()
    })
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') conversations.read()
  })
  document.addEventListener('keydown', (event) => onKey(event, openJoining))
}

function prepareComposer() {
  const [form, field] = [find('composer'), find('said')]
  form.onsubmit = (event) => {
    event.preventDefault()
    const text = field.value.trim()
    if (text === '' || !conversations.active) return
    const uuid = crypto.randomUUID()
    const at = new Date().toISOString()
    conversations.draft({ uuid, text, user: conversations.me, at })
    field.value = ''
    typing.sent()
    void send(conversations.active, { uuid, text })
  }
  field.onkeydown = (event) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault()
      form.requestSubmit()
    } else if (event.key === 'ArrowUp' && field.value === '' && !event.altKey) {
      event.preventDefault()
      messages.editLast(conversations.active, conversations.me)
    }
  }
  field.oninput = () => {
    if (field.value.trim() === '' || !conversations.active || !typing.isDue()) return
    // Only a hint, so errors are ignored.
    ask('typing', conversations.active.target).catch(() => {})
  }
}

function onKey(event, openJoining) {
  if (find('chat').hidden || document.querySelector('dialog[open]')) return
  if (event.altKey && (event.key === 'ArrowUp' || event.key === 'ArrowDown'))
    openNext(event.key === 'ArrowUp' ? -1 : 1)
  else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') void openJoining()
  else return
  event.preventDefault()
}

await begin()
