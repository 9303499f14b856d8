import { createHmac } from 'node:crypto'
import { SIGNATURE_HEADER, WEBHOOK_HEADERS } from '../protocol/headers.ts'

/** Returns the headers that sign a request. */
export type SignWebhook = (
  path: string,
  body: string,
  atSeconds: number,
) => Readonly<Record<string, string>>

/** Signs a path as backends do in their requests. */
export type SignPath = (path: string, atSeconds: number) => string

/**
 * Signs time, path and body with HMAC-SHA256, once with each secret, so that receivers may change to a new secret at
 * any time while both are listed.
 */
export const webhookSigner =
  (secrets: readonly string[], signPath: SignPath): SignWebhook =>
  (path, body, atSeconds) => {
    const timestamp = Math.floor(atSeconds)
    const signatures = secrets.map((secret) =>
      createHmac('sha256', secret).update(`${timestamp}.${path}.`).update(body).digest('hex'),
    )
    return {
      [WEBHOOK_HEADERS.timestamp]: String(timestamp),
      [WEBHOOK_HEADERS.signature]: signatures.join(','),
      [SIGNATURE_HEADER]: signPath(path, atSeconds),
    }
  }
