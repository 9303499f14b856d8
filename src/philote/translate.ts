/**
 * Translates between Philote's text and Channelstream's objects. A round trip in either direction gives back the
 * original.
 *
 * Text that is a JSON object becomes that object. Any other text becomes `{"data": text}`.
 */
import { parserFor, writeJson } from '../protocol/exact-numbers.ts'
import { UserNameSchema } from '../protocol/ids.ts'
import { isJsonObject } from '../protocol/json-object.ts'
import { prototypeKeyIn, surveyOf } from '../protocol/json.ts'
import type { ClientMessage } from '../core/messages.ts'
import type { ChannelName, UserName } from '../protocol/ids.ts'
import type { PhiloteForm } from '../store/store.ts'
import type { PhiloteMessage } from './incoming.ts'

export type Payload = Readonly<Record<string, unknown>>

/**
 * Objects that backends cannot post (too deep, too many lists, a prototype key, too many exact numbers) are treated as
 * text.
 */
export function payloadOf(data: string): Payload {
  return objectIn(data) ?? { data }
}

/** Returns the text for Philote readers; empty if there is no payload. */
export function dataOf(payload: Payload | undefined): string {
  if (payload === undefined) return ''
  const { data, ...rest } = payload
  return typeof data === 'string' && isEmpty(rest) ? data : writeJson(payload)
}

/** Translates a client's message into a message of its guest. */
export function guestMessageOf({ channel, data }: PhiloteMessage): Omit<ClientMessage, 'user'> {
  const message = payloadOf(data)
  // The same JSON can be written in several ways. If ours differs, keep the sender's text as well.
  const philote = dataOf(message) === data ? undefined : { data }
  return { channel: channel as ChannelName, message, philote }
}

/** Translates a message from Redis. Philote readers get it unchanged, whatever its channel and issuer are. */
export function messageFromRedis(channel: ChannelName, message: PhiloteMessage): ClientMessage {
  const { id, issuer, data } = message
  const philote: PhiloteForm = { id, issuer, channel: message.channel, data }
  return { channel, user: userOf(issuer), message: payloadOf(data), philote }
}

/** A publisher on Redis may leave out the issuer, or use any text. */
const userOf = (issuer: string): UserName =>
  UserNameSchema.safeParse(issuer).data ?? ('philote' as UserName)

function objectIn(data: string): Payload | undefined {
  if (!/^[ \t\r\n]*\{/.test(data)) return undefined
  const survey = surveyOf(data)
  if (survey === 'too-deep' || survey === 'too-many') return undefined
  try {
    const value = parserFor(survey)(data)
    return isJsonObject(value) && !prototypeKeyIn(data) ? value : undefined
  } catch {
    return undefined
  }
}

function isEmpty(object: object): boolean {
  for (const key in object) if (Object.hasOwn(object, key)) return false
  return true
}
