/**
 * Between Philote's text and the objects of everybody else, so that both ways round give back what went in.
 *
 * Text that spells an object is that object; any other text is `{"data": text}`.
 */
import { parserFor, writeJson } from '../protocol/exact-numbers.ts'
import { isJsonObject } from '../protocol/fields.ts'
import { UserNameSchema } from '../protocol/ids.ts'
import { prototypeKeyIn, surveyOf } from '../protocol/json.ts'
import type { Said } from '../core/messages.ts'
import type { ChannelName, UserName } from '../protocol/ids.ts'
import type { PhiloteForm } from '../store/store.ts'
import type { Written } from './incoming.ts'

export type Payload = Readonly<Record<string, unknown>>

/**
 * Objects that backends could not post (too deep, too many lists, a prototype key, too many exact numbers) are
 * text as well.
 */
export function payloadOf(data: string): Payload {
  return objectIn(data) ?? { data }
}

/** The text for Philote readers; empty if there is no payload. */
export function dataOf(payload: Payload | undefined): string {
  if (payload === undefined) return ''
  const { data, ...rest } = payload
  return typeof data === 'string' && isEmpty(rest) ? data : writeJson(payload)
}

/** What a Philote client wrote, as the guest's own words. */
export function saidBy({ channel, data }: Written): Omit<Said, 'user'> {
  const message = payloadOf(data)
  // JSON can be written in many ways: where ours is another one, the sender's is kept beside it.
  const philote = dataOf(message) === data ? undefined : { data }
  return { channel: channel as ChannelName, message, philote }
}

/** What came by Redis: carried as it is for Philote readers, whatever it says of channel and issuer. */
export function saidOnRedis(channel: ChannelName, written: Written): Said {
  const { id, issuer, data } = written
  const philote: PhiloteForm = { id, issuer, channel: written.channel, data }
  return { channel, user: userOf(issuer), message: payloadOf(data), philote }
}

/** Whoever publishes on Redis need not say who it is, and may say anything. */
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
