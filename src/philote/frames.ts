/** Writes messages in the formats of Philote's two generations: text frames, built once for all receivers. */
import { unicodeEscape } from '../lib/escapes.ts'
import { textFrames } from '../transports/websocket-frames.ts'
import { wellFormed } from './go-json.ts'
import { dataOf } from './translate.ts'
import type { WireForm } from '../core/delivery/batch.ts'
import type { OutgoingEvent } from '../core/delivery/outgoing-event.ts'
import type { PhiloteMessage } from './incoming.ts'
import type { Payload } from './translate.ts'

/** `{"issuer","channel","data"}` and a line break. Events other than messages produce no bytes. */
export const jwtFrames: WireForm = formOf((message) => `${jwtJson(message)}\n`)

/** `{"id","issuer","channel","data","event"}`. */
export const redisFrames: WireForm = formOf((message) =>
  messageJson({ ...message, event: 'message' }),
)

/** Writes a message as JSON like Go's encoder: known fields in order, without empty ones, with Go's escapes. */
export function messageJson({ id, issuer, channel, data, event }: PhiloteMessage): string {
  let json = ''
  if (id !== '') json += `,"id":${goString(id)}`
  if (issuer !== '') json += `,"issuer":${goString(issuer)}`
  if (channel !== '') json += `,"channel":${goString(channel)}`
  if (data !== '') json += `,"data":${goString(data)}`
  if (event !== '') json += `,"event":${goString(event)}`
  return `{${json.slice(1)}}`
}

const jwtJson = (message: PhiloteMessage): string => messageJson({ ...message, id: '', event: '' })

function formOf(write: (message: PhiloteMessage) => string): WireForm {
  return {
    encode: (events) =>
      textFrames(
        events
          .filter(({ type }) => type === 'message')
          .map((event) => Buffer.from(write(asWritten(event)))),
      ),
  }
}

function asWritten({ body, philote }: OutgoingEvent): PhiloteMessage {
  return {
    id: philote?.id ?? '',
    issuer: philote?.issuer ?? (body['user'] as string),
    channel: philote?.channel ?? (body['channel'] as string),
    data: philote?.data ?? dataOf(body['message'] as Payload | undefined),
    event: '',
  }
}

/** Writes a string like Go: safe in HTML and JavaScript, and without JSON's short escapes of two control characters. */
function goString(text: string): string {
  if (!SPECIAL.test(text)) return JSON.stringify(text)
  return JSON.stringify(wellFormed(text)).replace(ESCAPED_OR_SPECIAL, (found) =>
    found.length > 1 ? (LONG_FORMS.get(found) ?? found) : unicodeEscape(found),
  )
}
const SPECIAL = /[<>&\u2028\u2029\b\f]|\p{Surrogate}/u
const ESCAPED_OR_SPECIAL = /\\.|[<>&\u2028\u2029]/g
const LONG_FORMS = new Map([
  ['\\b', '\\u0008'],
  ['\\f', '\\u000c'],
])
