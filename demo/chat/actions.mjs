/**
 * The actions of the chat. Each gets the user and the data from the page, checks permissions, and calls the server. The
 * server trusts everything that this backend signs.
 */
import { Archive } from './archive.mjs'
import * as read from './input.mjs'
import { RateLimit } from './limit.mjs'

/** Channel settings: announce joins and leaves with the user list and its colours, and changes of them. */
const CHANNEL = {
  notify_presence: true,
  notify_state: true,
  broadcast_presence_with_user_lists: true,
}
const PUBLIC_KEYS = ['colour', 'status']
const SUGGESTED = ['lobby', 'random', 'help']

const HINT_DEADLINE_MS = 1_000
const INFO = { return_public_state: true, include_history: false }

/** @param {import('channelstream/backend').Channelstream} channelstream */
export function chatActions(channelstream) {
  const archive = new Archive()
  /** @type {Map<string, { readonly colour: string, readonly status: string }>} */
  const profiles = new Map()
  return {
    ...connectionActions(channelstream, archive, profiles),
    ...messageActions(channelstream, archive),

    async profile(user, wanted) {
      const profile = read.profile(wanted)
      profiles.set(user, profile)
      await channelstream.userState({ user, user_state: profile, state_public_keys: PUBLIC_KEYS })
      return profile
    },
  }
}

function connectionActions(channelstream, archive, profiles) {
  const profileOf = (user) => profiles.get(user) ?? { colour: 'green', status: '' }

  /** The messages and users that this user may see. */
  const overview = (user, channels, info) => ({
    upTo: archive.latest,
    profile: profileOf(user),
    direct: archive.privateOf(user),
    rooms: channels.map((name) => ({
      name,
      messages: archive.of(name),
      users: usersOf(info, name),
    })),
  })

  return {
    /** The page's client calls this whenever it needs a new connection. */
    async connect(user, { channels: wanted }) {
      const channels = read.channelNames(wanted)
      const answer = await channelstream.connect({
        username: user,
        channels,
        channel_configs: settingsOf(channels),
        user_state: profileOf(user),
        state_public_keys: PUBLIC_KEYS,
        info: INFO,
      })
      const { conn_id, channels_info: info } = answer
      return { conn_id, channels: answer.channels, ...overview(user, answer.channels, info) }
    },

    /** The same data without a new connection, for a page that missed events. */
    async overview(user, { channels: wanted }) {
      const channels = read.channelNames(wanted)
      return overview(user, channels, await channelstream.info({ ...INFO, channels }))
    },

    /** Every channel is open to everybody here. Other applications check permissions at this point. */
    async subscribe(user, { conn_id, channels: wanted }) {
      const channels = read.channelNames(wanted)
      const answer = await channelstream.subscribe({
        conn_id: read.uuid(conn_id),
        channels,
        channel_configs: settingsOf(channels),
        info: INFO,
      })
      const seen = overview(user, answer.subscribed_to, answer.channels_info)
      return { channels: answer.channels, ...seen }
    },

    async unsubscribe(_user, { conn_id, channels }) {
      const answer = await channelstream.unsubscribe({
        conn_id: read.uuid(conn_id),
        channels: read.channelNames(channels),
      })
      return { channels: answer.channels }
    },

    /** Channels to choose from: some suggestions, and all channels that exist. */
    async channels() {
      const { channels } = await channelstream.info({ include_history: false })
      const names = new Set([...SUGGESTED, ...Object.keys(channels)])
      return [...names].map((name) => ({ name, people: channels[name]?.total_users ?? 0 }))
    },
  }
}

const settingsOf = (channels) => Object.fromEntries(channels.map((name) => [name, CHANNEL]))

function usersOf({ channels, users }, name) {
  const states = new Map(users.map(({ user, state }) => [user, state]))
  return (channels[name]?.users ?? []).map((user) => ({ user, state: states.get(user) ?? {} }))
}

function messageActions(channelstream, archive) {
  const messageLimit = new RateLimit(30, 10_000)
  const typingLimit = new RateLimit(10, 10_000)

  return {
    async say(user, { uuid, text, ...where }) {
      if (!messageLimit.allows(user))
        throw new read.RequestError(429, 'Too many messages. Slow down a little.')
      const message = archive.add({
        uuid: read.uuid(uuid),
        user,
        text: read.messageText(text),
        ...read.target(where),
      })
      await channelstream.message({ ...recipientsOf(message), user, message: payload(message) })
      return message
    },

    async edit(user, { uuid, text }) {
      const message = archive.edit(read.uuid(uuid), user, read.messageText(text))
      await channelstream.edit({ ...recipientsOf(message), message: payload(message) })
      return message
    },

    async delete(user, { uuid }) {
      const message = archive.delete(read.uuid(uuid), user)
      await channelstream.delete(recipientsOf(message))
      return { uuid: message.uuid }
    },

    /** A transient hint: not stored in the history, and rate limited for users who type fast. */
    async typing(user, where) {
      const { channel, to } = read.target(where)
      if (!typingLimit.allows(user)) return { told: false }
      const recipients = channel ? { channel, exclude_users: [user] } : { pm_users: [to] }
      const hint = { ...recipients, user, no_history: true, message: { typing: true } }
      // A late hint would be wrong.
      await channelstream.message(hint, { deadlineMs: HINT_DEADLINE_MS })
      return { told: true }
    },
  }
}

/** A private message goes to both users, so that the sender's other windows show it too. */
const recipientsOf = ({ uuid, user, channel, to }) =>
  to === undefined ? { uuid, channel } : { uuid, pm_users: [user, to] }

const payload = ({ text, to, at, n, revision, edited }) => ({ text, to, at, n, revision, edited })
