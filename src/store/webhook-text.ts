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

export const webhookText = (
  head: WebhookEventHead,
  fields: Readonly<Record<string, unknown>>,
): string => writeJson({ ...head, ...fields })

export const webhookId = (epoch: string, n: number): string => `${epoch}-${n}`

/** The fields of `message`. */
export const messageFields = (body: EventBody, { pmUsers, excludeUsers }: Delivery) => ({
  channel: body.channel,
  message: body,
  pm_users: pmUsers,
  exclude_users: excludeUsers,
})

/** The fields of `slow_client`. */
export const slowClientFields = ({ user, connId, waitingBytes }: SlowClientFacts) => ({
  user,
  conn_id: connId,
  waiting_bytes: waitingBytes,
})

/** The subject of messages that are in no channel. */
export const PRIVATE_SUBJECT = 'private'
export const channelSubject = (name: string): string => `channel:${name}`
export const clientSubject = ({ connId, user }: SlowClientFacts): string =>
  connId === null ? `philote:${user}` : `connection:${connId}`
export const userSubject = (name: string): string => `user:${name}`
