import { WEBHOOK_HEADERS } from '../protocol/headers.ts'
import type { WebhookRequest } from './types.ts'

/** A request that a webhook has received. */
export interface ReceivedWebhook {
  /** The path of `webhook_url`, without the query, also if a proxy in front of this backend changes it. */
  readonly path: string
  /** `request.headers` of Node, or the `Headers` of fetch. */
  readonly headers: Headers | Readonly<Record<string, string | readonly string[] | undefined>>
  /** The body as it was received, not parsed and written again. */
  readonly body: string | Uint8Array
}

export interface ReadWebhookOptions {
  /** Reject requests that were signed longer ago, or so far in the future. 300 by default. */
  readonly maxAgeSeconds?: number
}

const MAX_AGE_SECONDS = 300
const SHA256_BYTES = 32

/**
 * Resolves with the events if the request is signed with the server's `webhook_secret` (or `secret`, if it has none of
 * its own) or with one of several secrets. Resolves with undefined otherwise: answer such a request with 403.
 *
 * A request may arrive again: skip events whose `id` you have seen.
 */
export async function readWebhook(
  secret: string | readonly string[],
  { path, headers, body }: ReceivedWebhook,
  { maxAgeSeconds = MAX_AGE_SECONDS }: ReadWebhookOptions = {},
): Promise<WebhookRequest | undefined> {
  const timestamp = headerIn(headers, WEBHOOK_HEADERS.timestamp)
  const signatures = headerIn(headers, WEBHOOK_HEADERS.signature).split(',')
  const age = Math.abs(Date.now() / 1000 - Number(timestamp))
  if (!/^\d{1,12}$/.test(timestamp) || age > maxAgeSeconds) return undefined
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
  const signed = concat(new TextEncoder().encode(`${timestamp}.${path}.`), bytes)
  for (const one of typeof secret === 'string' ? [secret] : secret)
    for (const signature of signatures)
      if (await isSignedWith(one, signature, signed))
        return JSON.parse(new TextDecoder().decode(bytes)) as WebhookRequest
  return undefined
}

function headerIn(headers: ReceivedWebhook['headers'], name: string): string {
  const value = headers instanceof Headers ? headers.get(name) : headers[name]
  return typeof value === 'string' ? value : ''
}

async function isSignedWith(
  secret: string,
  signature: string,
  signed: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  if (secret === '' || !/^[\da-f]{64}$/.test(signature)) return false
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const raw = new TextEncoder().encode(secret)
  const key = await crypto.subtle.importKey('raw', raw, algorithm, false, ['verify'])
  const given = Uint8Array.from({ length: SHA256_BYTES }, (_, index) =>
    Number.parseInt(signature.slice(2 * index, 2 * index + 2), 16),
  )
  return crypto.subtle.verify('HMAC', key, given, signed)
}

function concat(one: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(one.length + other.length)
  whole.set(one)
  whole.set(other, one.length)
  return whole
}
