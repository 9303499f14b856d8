/** Validates input from the page, which may be anything. Refuses invalid input with an error text for people. */

export class RequestError extends Error {
  /** @param {number} status @param {string} text */
  constructor(status, text) {
    super(text)
    this.status = status
  }
}

export const COLOURS = ['green', 'amber', 'red', 'violet']

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}]/u
/** The zero-width joiner, allowed only inside emoji sequences such as families. On its own it is invisible. */
const JOINER =
  /(?<=\p{Extended_Pictographic}\uFE0F?|\p{Emoji_Modifier})\u200D(?=\p{Extended_Pictographic})/gu
const MAX_CHANNELS = 50

/** One line of text. Collapses whitespace; refuses invisible characters, which would make two names look the same. */
function line(what, value, max) {
  const text = typeof value === 'string' ? value.normalize('NFC').trim().replace(/\s+/g, ' ') : ''
  if (text === '' || text.length > max || INVISIBLE.test(text.replace(JOINER, '')))
    throw new RequestError(422, `${what} needs 1 to ${max} visible characters.`)
  return text
}

export const userName = (value) => line('A name', value, 32)
export const channelName = (value) => line('A channel', value, 32)

export function channelNames(value) {
  if (!Array.isArray(value) || value.length > MAX_CHANNELS)
    throw new RequestError(422, `At most ${MAX_CHANNELS} channels are allowed.`)
  return [...new Set(value.map(channelName))]
}

export function messageText(value) {
  const text = typeof value === 'string' ? value.trim() : ''
  if (text === '' || text.length > 2000)
    throw new RequestError(422, 'A message needs 1 to 2000 characters.')
  return text
}

export function uuid(value) {
  if (typeof value !== 'string' || !UUID.test(value)) throw new RequestError(422, 'Invalid uuid.')
  return value
}

/** The target of a message: `{channel}`, or `{to}` for a private conversation. */
export const target = ({ channel, to }) =>
  to === undefined ? { channel: channelName(channel) } : { to: userName(to) }

export function profile({ colour, status }) {
  if (!COLOURS.includes(colour)) throw new RequestError(422, 'Unknown colour.')
  return { colour, status: status === '' ? '' : line('A status', status, 60) }
}
