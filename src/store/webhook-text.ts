/** The JSON of webhook events. The scripts in `redis/lua/webhooks.lua` make the same. */
import { writeJson } from '../protocol/exact-numbers.ts'
import type { WebhookEventType } from '../protocol/webhooks.ts'
import type { Delivery, EventBody } from './store.ts'
import type { SlowClientFacts } from './webhook-queue.ts'

interface WebhookEventHead {
  readonly id: string
  readonly type: WebhookEventType
  /** Wall time in whole milliseconds since 1970. */
  readonly time: number
  readonly subject: string
  readonly seq: number
}

/**
 * `members`: of this type of event. It runs for every message: writing one object with everything takes twice as long,
 * and a template keeps its pieces in memory until the text is sent.
 */
export const webhookText = (
  { id, type, time, subject, seq }: WebhookEventHead,
  members: string,
): string =>
  [
    `{"id":"${id}","type":"${type}","time":${time},"subject":`,
    JSON.stringify(subject),
    `,"seq":${seq},`,
    members,
    '}',
  ].join('')

export const webhookId = (epoch: string, n: number): string => `${epoch}-${n}`

/** Of events about a user. */
export const userMember = (name: string): string => `"user":${JSON.stringify(name)}`

/** Of events about a channel. */
export const channelMember = (name: string): string => `"channel":${JSON.stringify(name)}`

/** Of `message`. */
export const messageMembers = (body: EventBody, { pmUsers, excludeUsers }: Delivery): string =>
  `"channel":${JSON.stringify(body.channel)},"message":${writeJson(body)},` +
  `"pm_users":${JSON.stringify(pmUsers)},"exclude_users":${JSON.stringify(excludeUsers)}`

/** Of `slow_client`. */
export const slowClientMembers = ({ user, connId, waitingBytes }: SlowClientFacts): string =>
  `${userMember(user)},"conn_id":${JSON.stringify(connId)},"waiting_bytes":${waitingBytes}`

/** The subject of messages that are in no channel. */
export const PRIVATE_SUBJECT = 'private'
export const channelSubject = (name: string): string => `channel:${name}`
export const clientSubject = ({ connId, user }: SlowClientFacts): string =>
  connId === null ? `philote:${user}` : `connection:${connId}`
export const userSubject = (name: string): string => `user:${name}`
