/** The bodies of `/info`: what to describe, or what to count. */
import { z } from 'zod'
import { EXAMPLES } from './examples.ts'
import {
  COMPLAINT,
  MAX_COMPLAINTS,
  listOf,
  looseBoolean,
  normalized,
  typeComplaint,
} from './fields.ts'
import { ChannelNameSchema, UserNameSchema } from './ids.ts'
import { isJsonObject } from './json-object.ts'
import { limitedBy } from './limited-by.ts'
import { InfoOptions } from './requests.ts'

const object = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject(shape, { error: typeComplaint(COMPLAINT.type) })

/**
 * `{"info": {…}}`, or `{"channels": […]}` of the older documentation, where an empty list means all channels.
 */
export const InfoRequest = normalized(
  fromOlderInfoForm,
  object({ info: InfoOptions.describe('Which channels to describe, and how.') }).meta({
    id: 'InfoRequest',
  }),
).meta({ examples: [EXAMPLES.info] })
export type InfoRequest = z.output<typeof InfoRequest>

function fromOlderInfoForm(body: unknown): unknown {
  if (!isJsonObject(body) || !Object.hasOwn(body, 'channels')) return body
  const { channels, info = {} } = body
  const others = unknownKeys(body, ['channels', 'counts', 'info'])
  if (!isJsonObject(info)) return { ...others, info }
  const wanted = Array.isArray(channels) && channels.length === 0 ? {} : { channels }
  const counts = Object.hasOwn(body, 'counts') ? { counts: body['counts'] } : {}
  const known = Object.keys(InfoOptions.shape).filter((key) => Object.hasOwn(info, key))
  const given = Object.fromEntries(known.map((key) => [key, info[key]]))
  return { ...others, info: { ...wanted, ...counts, ...given, ...unknownKeys(info, known) } }
}

/** Returns the unknown keys of an object, which are faults. At most as many as are reported. */
function unknownKeys(object: Readonly<Record<string, unknown>>, known: readonly string[]): object {
  const others = Object.keys(object).filter((key) => !known.includes(key))
  return Object.fromEntries(others.slice(0, MAX_COMPLAINTS + 1).map((key) => [key, object[key]]))
}

export const CountsRequest = object({
  counts: looseBoolean.default(false).describe('Count the connections and users of channels.'),
  channels: listOf(ChannelNameSchema)
    .meta(limitedBy('max_counts_per_request'))
    .optional()
    .describe('With counts: only these channels. Unknown channels are ignored. Default: all.'),
  users: listOf(UserNameSchema)
    .meta(limitedBy('max_counts_per_request'))
    .optional()
    .describe('Tell which of these users are online, and in which channels.'),
}).meta({ examples: [EXAMPLES.counts] })
export type CountsRequest = z.output<typeof CountsRequest>

/** The bodies of `/info`, for documentation: which fields go together. */
export const InfoBody = z
  .union([
    InfoRequest,
    CountsRequest.extend({
      counts: z.literal(true).describe('Count the connections and users of channels.'),
    }).meta({ id: 'CountsRequest', examples: [EXAMPLES.counts] }),
    CountsRequest.pick({ users: true })
      .required()
      .meta({ id: 'OnlineUsersRequest', examples: [{ users: EXAMPLES.counts.users }] }),
  ])
  .meta({ examples: [EXAMPLES.info] })

/** Whether the body of `/info` is a `CountsRequest`, and not an `InfoRequest`. */
export function isCountsRequest(body: unknown): body is Readonly<Record<string, unknown>> {
  if (!isJsonObject(body) || Object.hasOwn(body, 'info')) return false
  if (Object.hasOwn(body, 'users')) return true
  return Object.hasOwn(body, 'counts') && looseBoolean.safeParse(body['counts']).data !== false
}
