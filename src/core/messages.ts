/**
 * From what a backend posts to what is announced.
 *
 * Each function answers the request as the backend gets it back (with what was filled in) and the publications. The
 * answer echoes the caller's own `type` and `catchup`; events carry the real ones (recorded: message-own-keys-overridden).
 */
import { isListed } from '../lib/name-list.ts'
import { isoTimestamp } from '../protocol/timestamps.ts'
import type { Clock } from '../lib/clock.ts'
import type { ChannelName, UserName } from '../protocol/ids.ts'
import type { DeleteRequest, EditRequest, MessageRequest } from '../protocol/requests.ts'
import type { EventBody, PhiloteForm, Publication } from '../store/store.ts'

export interface Posting<Answer> {
  readonly answer: Answer
  readonly publication: Publication
}

interface Addressed {
  readonly channel: ChannelName | null
  readonly pm_users: readonly UserName[]
  readonly exclude_users: readonly UserName[]
  readonly no_history: boolean
}

/**
 * Messages without a target are left out, of the answer too (recorded: message-without-target). `once`: a UUID of the
 * request, the same when it is repeated; undefined for one that nobody repeats.
 */
export function postMessages(
  clock: Clock,
  requests: readonly MessageRequest[],
  once: string | undefined,
): Posting<MessageRequest>[] {
  const now = isoTimestamp(clock.wallTime())
  const uuidAt = uuidsFor(once)
  return requests
    .filter(hasTarget)
    .map((request, place) => postMessage(now, request, uuidAt(place)))
}

export const hasTarget = ({ channel, pm_users }: Addressed): boolean =>
  channel !== null || pm_users.length > 0

/** By the place in the request. When it is repeated they are the same: it is answered what was told the first time. */
function uuidsFor(once: string | undefined): (place: number) => string {
  if (once === undefined) return () => crypto.randomUUID()
  const [head, tail] = [once.slice(0, -TAIL_DIGITS), parseInt(once.slice(-TAIL_DIGITS), 16)]
  return (place) =>
    head + ((tail + place) % 16 ** TAIL_DIGITS).toString(16).padStart(TAIL_DIGITS, '0')
}
const TAIL_DIGITS = 12

/** `now` and `uuid`: for what has none of its own. */
export function postMessage(
  now: string,
  request: MessageRequest,
  uuid: string = crypto.randomUUID(),
): Posting<MessageRequest> {
  return hasExtraKeys(request)
    ? postWithExtraKeys(request, request.uuid ?? uuid, request.timestamp ?? now)
    : postPlain(request, request.uuid ?? uuid, request.timestamp ?? now)
}

/** Spelled out, which is several times as fast as copying: almost all that is posted comes this way. */
function postPlain(request: MessageRequest, uuid: string, timestamp: string) {
  const { channel, user, message, pm_users, exclude_users, no_history } = request
  const body = { type: 'message', uuid, channel, timestamp, user, message, edited: null } as const
  const answer = {
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
  return { answer, publication: withDelivery(body, request) }
}

/** With keys of the caller's own, which are passed on. Assigned, not spread: see clientView. */
function postWithExtraKeys(request: MessageRequest, uuid: string, timestamp: string) {
  const answer = Object.assign({}, request, { uuid, timestamp, edited: null })
  return { answer, publication: publicationOf('message', answer) }
}

/** By number, because it is asked of every message. What is left out is no key of what was read from JSON. */
function hasExtraKeys(request: MessageRequest): boolean {
  const { uuid, timestamp, message } = request
  let known = REQUIRED_KEYS
  if (uuid !== undefined) known++
  if (timestamp !== undefined) known++
  if (message !== undefined) known++
  return Object.keys(request).length !== known
}
/** channel, pm_users, exclude_users, no_history, user */
const REQUIRED_KEYS = 5

export function postEdits(clock: Clock, requests: readonly EditRequest[]): Posting<EditRequest>[] {
  const now = isoTimestamp(clock.wallTime())
  return requests.map((request) => postEdit(now, request))
}

export function postEdit(now: string, request: EditRequest): Posting<EditRequest> {
  const answer = { ...request, edited: request.edited ?? now }
  return { answer, publication: publicationOf('message:edit', answer) }
}

/** A message that did not come from a backend. */
export interface ClientMessage {
  readonly channel: ChannelName
  readonly user: UserName
  readonly message: Readonly<Record<string, unknown>>
  /** What Philote readers get, where the rest does not say it. */
  readonly philote?: PhiloteForm | undefined
}

/** For everybody in the channel but the one who said it. */
export function clientPublication(clock: Clock, { philote, ...said }: ClientMessage): Publication {
  const { body, delivery } = postMessage(isoTimestamp(clock.wallTime()), {
    ...said,
    pm_users: [],
    exclude_users: [said.user],
    no_history: false,
  }).publication
  return { body, delivery: { ...delivery, philote } }
}

export const postDelete = (request: DeleteRequest): Posting<DeleteRequest> => ({
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
  const { channel, pm_users: pmUsers, exclude_users: excludeUsers, no_history: noHistory } = request
  const publication = { body, delivery: { pmUsers, excludeUsers, noHistory } }
  if (channel !== null) return publication
  return { ...publication, users: pmUsers.filter((user) => !isListed(excludeUsers, user)) }
}

/** How it is delivered; and the caller's own `catchup`, which would say of a live event that it is late. */
const HIDDEN_KEYS = {
  pm_users: undefined,
  exclude_users: undefined,
  no_history: undefined,
  catchup: undefined,
}
