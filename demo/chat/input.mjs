/** Reads what comes from the page. It may be anything: what is not right is refused, with a text for people. */

export class Refusal extends Error {
  /** @param {number} status @param {string} text */
  constructor(status, text) {
    super(text)
    this.status = status
  }
}

export const COLOURS = ['green', 'amber', 'red', 'violet']

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}]/u
/** What makes one picture of several, as in a family. Alone it cannot be seen. */
const JOINER =
  /(?<=\p{Extended_Pictographic}\uFE0F?|\p{Emoji_Modifier})\u200D(?=\p{Extended_Pictographic})/gu
const MAX_CHANNELS = 50

/** One line: spaces are tidied, and what cannot be seen is refused, since it makes two names look the same. */
function line(what, value, max) {
  const text = typeof value === 'string' ? value.normalize('NFC').trim().replace(/\s+/g, ' ') : ''
  if (text === '' || text.length > max || INVISIBLE.test(text.replace(JOINER, '')))
    throw new Refusal(422, `${what} needs 1 to ${max} visible characters.`)
  return text
}

export const userName = (value) => line('A name', value, 32)
export const channelName = (value) => line('A channel', value, 32)

export function channelNames(value) {
  if (!Array.isArray(value) || value.length > MAX_CHANNELS)
    throw new Refusal(422, `Name up to ${MAX_CHANNELS} channels.`)
  return [...new Set(value.map(channelName))]
}

export function messageText(value) {
  const text = typeof value === 'string' ? value.trim() : ''
  if (text === '' || text.length > 2000)
    throw new Refusal(422, 'A message needs 1 to 2000 characters.')
  return text
}

export function uuid(value) {
  if (typeof value !== 'string' || !UUID.test(value)) throw new Refusal(422, 'That is no uuid.')
  return value
}

/** A place to talk: `{channel}`, or `{to}` for a private conversation. */
export const place = ({ channel, to }) =>
  to === undefined ? { channel: channelName(channel) } : { to: userName(to) }

export function profile({ colour, status }) {
  if (!COLOURS.includes(colour)) throw new Refusal(422, 'There is no such colour.')
  return { colour, status: status === '' ? '' : line('A status', status, 60) }
}
