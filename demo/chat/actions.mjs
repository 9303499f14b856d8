/**
 * What visitors may do. Each action gets who asks and what the page sent, decides, and calls the server, which
 * believes whatever this backend signs.
 */
import { Archive } from './archive.mjs'
import * as read from './input.mjs'
import { Pace } from './pace.mjs'

/** What everybody is told about a channel's people: who comes and goes, with colours, and changes of those. */
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

  /** What was said and who is there, as far as this user may know. */
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
    /** The page's client asks for it whenever it needs a new connection. */
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

    /** The same without a connection: for a page that missed something. */
    async overview(user, { channels: wanted }) {
      const channels = read.channelNames(wanted)
      return overview(user, channels, await channelstream.info({ ...INFO, channels }))
    },

    /** Every channel is open to everybody here. In other applications this is where to say no. */
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

    /** Channels to choose from: some to begin with, and those that somebody is in. */
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
  const messagePace = new Pace(30, 10_000)
  const typingPace = new Pace(10, 10_000)

  return {
    async say(user, { uuid, text, ...where }) {
      if (!messagePace.allows(user)) throw new read.Refusal(429, 'Slow down a little.')
      const message = archive.add({
        uuid: read.uuid(uuid),
        user,
        text: read.messageText(text),
        ...read.place(where),
      })
      await channelstream.message({ ...addressed(message), user, message: payload(message) })
      return message
    },

    async edit(user, { uuid, text }) {
      const message = archive.edit(read.uuid(uuid), user, read.messageText(text))
      await channelstream.edit({ ...addressed(message), message: payload(message) })
      return message
    },

    async delete(user, { uuid }) {
      const message = archive.delete(read.uuid(uuid), user)
      await channelstream.delete(addressed(message))
      return { uuid: message.uuid }
    },

    /** Passes by: it is in no history, and whoever types fast is told of now and then only. */
    async typing(user, where) {
      const { channel, to } = read.place(where)
      if (!typingPace.allows(user)) return { told: false }
      const target = channel ? { channel, exclude_users: [user] } : { pm_users: [to] }
      const hint = { ...target, user, no_history: true, message: { typing: true } }
      // Too late it would be wrong.
      await channelstream.message(hint, { deadlineMs: HINT_DEADLINE_MS })
      return { told: true }
    },
  }
}

/** A private message goes to both, so that the other windows of who wrote it show it too. */
const addressed = ({ uuid, user, channel, to }) =>
  to === undefined ? { uuid, channel } : { uuid, pm_users: [user, to] }

const payload = ({ text, to, at, n, revision, edited }) => ({ text, to, at, n, revision, edited })
