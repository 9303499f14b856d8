/**
 * Converts requests of backends to publications.
 *
 * Each function returns the answer to the backend (the request with defaults filled in) and the publication. The answer
 * echoes the caller's own `type` and `catchup`; events have the real ones (recorded: message-own-keys-overridden).
 */
import { isListed } from '../lib/name-list.ts'
import { isoTimestamp } from '../protocol/timestamps.ts'
import type { Clock } from '../lib/clock.ts'
import type { ChannelName, UserName } from '../protocol/ids.ts'
import type { PostedDelete, PostedEdit, PostedMessage } from '../protocol/posted.ts'
import type { DeleteRequest, EditRequest, MessageRequest } from '../protocol/requests.ts'
import type { EventBody, PhiloteForm, Publication } from '../store/store.ts'

export interface Posting<Answer> {
  readonly answer: Answer
  readonly publication: Publication
}

/** The channels of a message, an edit or a delete. */
export interface Targets<Name extends string = ChannelName> {
  readonly channel: Name | null
  readonly channels?: readonly Name[] | undefined
}

interface Addressed extends Targets {
  readonly pm_users: readonly UserName[]
  readonly exclude_users: readonly UserName[]
  readonly no_history: boolean
}

/**
 * Drops messages without a target, also from the answer (recorded: message-without-target). `once`: a UUID that is the
 * same for retries of the request; undefined without retries.
 */
export function postMessages(
  clock: Clock,
  requests: readonly MessageRequest[],
  once: string | undefined,
): Posting<PostedMessage>[] {
  const now = isoTimestamp(clock.wallTime())
  const uuidAt = uuidsFor(once)
  return requests
    .filter(hasTarget)
    .map((request, place) => postMessage(now, request, uuidAt(place)))
}

export const hasTarget = ({ channel, channels, pm_users }: Addressed): boolean =>
  channel !== null || channels !== undefined || pm_users.length > 0

/** Returns the channels of a message, each once; null for none. */
export const targetsOf = ({ channel, channels }: Targets): readonly (ChannelName | null)[] =>
  channels ? [...new Set(channels)] : [channel]

/** UUIDs by position in the request. A retry gets the same ones, so its answer matches the published events. */
function uuidsFor(once: string | undefined): (place: number) => string {
  if (once === undefined) return () => crypto.randomUUID()
  const [head, tail] = [once.slice(0, -TAIL_DIGITS), parseInt(once.slice(-TAIL_DIGITS), 16)]
  return (place) =>
    head + ((tail + place) % 16 ** TAIL_DIGITS).toString(16).padStart(TAIL_DIGITS, '0')
}
const TAIL_DIGITS = 12

/** `now` and `uuid` are used if the request has none. */
export function postMessage(
  now: string,
  request: MessageRequest,
  uuid: string = crypto.randomUUID(),
): Posting<PostedMessage> {
  return hasExtraKeys(request)
    ? postWithExtraKeys(request, request.uuid ?? uuid, request.timestamp ?? now)
    : postPlain(request, request.uuid ?? uuid, request.timestamp ?? now)
}

/** Lists the keys, which is several times as fast as copying. Nearly all messages take this path. */
function postPlain(request: MessageRequest, uuid: string, timestamp: string) {
  const { channel, channels, user, message, pm_users, exclude_users, no_history } = request
  const body = { type: 'message', uuid, channel, timestamp, user, message, edited: null } as const
  const answer: PostedMessage = {
    channel,
    user,
    message,
    pm_users,
    exclude_users,
    no_history,
    uuid,
    timestamp,
    edited: null,
  }
  if (channels) answer.channels = channels
  return { answer, publication: withDelivery(body, request) }
}

/** Passes on the caller's extra keys. Assigned, not spread: see `clientView`. */
function postWithExtraKeys(request: MessageRequest, uuid: string, timestamp: string) {
  const answer = Object.assign({}, request, { uuid, timestamp, edited: null } as const)
  return { answer, publication: publicationOf('message', answer) }
}

/**
 * Compares the number of keys, because it runs for every message. Absent optional fields are no keys of the request.
 */
function hasExtraKeys(request: MessageRequest): boolean {
  const { channels, uuid, timestamp, message } = request
  let known = REQUIRED_KEYS
  if (channels !== undefined) known++
  if (uuid !== undefined) known++
  if (timestamp !== undefined) known++
  if (message !== undefined) known++
  return Object.keys(request).length !== known
}
/** channel, pm_users, exclude_users, no_history, user */
const REQUIRED_KEYS = 5

export function postEdits(clock: Clock, requests: readonly EditRequest[]): Posting<PostedEdit>[] {
  const now = isoTimestamp(clock.wallTime())
  return requests.map((request) => postEdit(now, request))
}

export function postEdit(now: string, request: EditRequest): Posting<PostedEdit> {
  const answer = { ...request, edited: request.edited ?? now }
  return { answer, publication: publicationOf('message:edit', answer) }
}

/** A message that does not come from a backend. */
export interface ClientMessage {
  readonly channel: ChannelName
  readonly user: UserName
  readonly message: Readonly<Record<string, unknown>>
  /** What Philote clients get, where it differs from the rest. */
  readonly philote?: PhiloteForm | undefined
}

/** A publication for everybody in the channel except the sender. */
export function clientPublication(
  clock: Clock,
  { philote, ...message }: ClientMessage,
): Publication {
  const { body, delivery } = postMessage(isoTimestamp(clock.wallTime()), {
    ...message,
    pm_users: [],
    exclude_users: [message.user],
    no_history: false,
  }).publication
  return { body, delivery: { ...delivery, philote } }
}

export const postDelete = (request: DeleteRequest): Posting<PostedDelete> => ({
  answer: request,
  publication: publicationOf('message:delete', request),
})

function publicationOf(
  type: EventBody['type'],
  request: Addressed & { readonly uuid: string },
): Publication {
  return withDelivery(Object.assign({}, request, { type }, HIDDEN_KEYS), request)
}

function withDelivery(body: EventBody, request: Addressed): Publication {
  const { channel, channels, pm_users: pmUsers, exclude_users: excludeUsers } = request
  const publication = { body, delivery: { pmUsers, excludeUsers, noHistory: request.no_history } }
  if (channel !== null) return publication
  if (channels) return { ...publication, channels: [...new Set(channels)] }
  return { ...publication, users: pmUsers.filter((user) => !isListed(excludeUsers, user)) }
}

/** Keys for delivery, and the caller's own `catchup`, which would mark a live event as late. */
const HIDDEN_KEYS = {
  channels: undefined,
  pm_users: undefined,
  exclude_users: undefined,
  no_history: undefined,
  catchup: undefined,
}
