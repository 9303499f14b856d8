/**
 * Requests that can be retried safely: the `Idempotency-Key` of the IETF draft (httpapi).
 *
 * A caller that lost an answer sends the request again with the same key and gets the answer of the first attempt.
 * Nothing runs twice. Only signed requests are remembered. Reasons: docs/decisions/0013-idempotency-keys.md.
 */
import { createHash, createHmac } from 'node:crypto'
import { pathOf, queryOf } from '../lib/urls.ts'
import { RequestError } from '../protocol/errors.ts'
import {
  ERROR_HEADER,
  IDEMPOTENCY_HEADER,
  IDEMPOTENCY_KEY_FORM,
  REPLAYED_HEADER,
} from '../protocol/headers.ts'
import { SIGNATURE_PARAMETER } from './auth.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { CachedAnswer, IdempotencyCache, Claim, Settle } from '../store/idempotency-cache.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The raw body; null if there is none. */
    bytes: Buffer | null
    /** Set while other requests may wait for the answer to this one. */
    settle: Settle | null
    /** Set if the request has a key: the id for what the request creates. It is the same in every attempt. */
    keyedId: string | undefined
  }
  interface FastifyContextConfig {
    /** The route runs once for each `Idempotency-Key`. */
    isKeyed?: boolean
  }
}

/**
 * Applies to routes with `isKeyed` in their config; they answer with JSON. `GET` and `HEAD` change nothing and need no
 * key.
 */
export function answerRepeats(
  http: FastifyInstance,
  idempotencyCache: IdempotencyCache,
  /** Must return the same on all servers that share answers. */
  secret: () => string,
): void {
  const idOf = idGenerator(secret)
  http.decorateRequest('bytes', null)
  http.decorateRequest('settle', null)
  http.decorateRequest('keyedId', undefined)
  // After the body is read and before it is validated: a repeated request is answered without validating it again.
  http.addHook('preValidation', (request, reply, done) => {
    const key = request.headers[IDEMPOTENCY_HEADER]
    if (key === undefined || !isKeyed(request)) return done()
    answerRepeat(idempotencyCache, String(key), request, reply).then((fingerprint) => {
      if (fingerprint === undefined) return
      request.keyedId = idOf(`${String(key)}\n${fingerprint}`)
      done()
    }, done)
  })
  http.addHook('onSend', (request, reply, payload, done) => {
    const { settle } = request
    if (!settle) return done()
    request.settle = null
    settleWith(settle, reply, payload).then(() => done(), done)
  })
}

const isKeyed = ({ caller, method, routeOptions }: FastifyRequest): boolean =>
  routeOptions.config.isKeyed === true && caller.isBackend && method !== 'GET' && method !== 'HEAD'

async function settleWith(settle: Settle, reply: FastifyReply, payload: unknown): Promise<void> {
  await settle(answerOf(reply, payload), isFinal(reply.statusCode))
}

/**
 * After a 4xx nothing has changed, and a repeat may succeed. After a 500 the outcome is unknown, so the request must
 * not run again. A 503 asks for a retry; the store notices if the first attempt took effect after all.
 */
const isFinal = (status: number): boolean =>
  status < 400 || (status >= 500 && status !== UNAVAILABLE)
const UNAVAILABLE = 503

/**
 * Returns the fingerprint of a request that has to run, or undefined if it was a repeat and has been answered. Throws
 * if the key is malformed or was used for another request.
 */
async function answerRepeat(
  idempotencyCache: IdempotencyCache,
  key: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<string | undefined> {
  if (!IDEMPOTENCY_KEY_FORM.test(key)) throw new RequestError('BAD_IDEMPOTENCY_KEY')
  const fingerprint = fingerprintOf(request)
  const claim: Claim = await idempotencyCache.claim(key, fingerprint)
  if (claim.outcome === 'reused') throw new RequestError('IDEMPOTENCY_KEY_REUSED')
  if (claim.outcome === 'first') {
    request.settle = claim.settle
    return fingerprint
  }
  const answer = await claim.answer()
  if (!answer) return answerRepeat(idempotencyCache, key, request, reply)
  const { status, text, error } = answer
  if (error !== undefined) reply.header(ERROR_HEADER, error)
  void reply.code(status).type(JSON_TYPE).header(REPLAYED_HEADER, 'true').send(text)
  return undefined
}

/**
 * Derives a UUID from a text. Every server with the same secret gets the same one; without the secret nobody can guess
 * it.
 */
const idGenerator = (secret: () => string) => (text: string) => {
  const digest = createHmac('sha256', secret()).update(`${ID_DOMAIN}\n${text}`).digest('hex')
  const variant = '89ab'[parseInt(digest.slice(16, 17), 16) % 4] ?? '8'
  const [a, b, c, d, e] = [
    [0, 8],
    [8, 12],
    [13, 16],
    [17, 20],
    [20, 32],
  ].map((range) => digest.slice(...range))
  return `${a}-${b}-4${c}-${variant}${d}-${e}`
}
/** Separates these ids from everything else that is derived from the secret. */
const ID_DOMAIN = 'channelstream idempotency id'

const JSON_TYPE = 'application/json; charset=utf-8'

/**
 * Identifies a request and its repeats by method, path, query and body. The signature is left out, because a repeat may
 * be signed again.
 */
function fingerprintOf({ method, url, bytes }: FastifyRequest): string {
  const path = pathOf(url)
  const query = queryOf(url)
  query.delete(SIGNATURE_PARAMETER)
  const head = `${method} ${path}?${query.toString()}\n`
  return createHash('sha256')
    .update(head)
    .update(bytes ?? '')
    .digest('base64url')
}

/** Returns undefined for a stream: long answers are not kept. Routes that stream are harmless to run again. */
function answerOf(reply: FastifyReply, payload: unknown): CachedAnswer | undefined {
  if (typeof payload !== 'string') return undefined
  const error = reply.getHeader(ERROR_HEADER)
  const answer = { status: reply.statusCode, text: payload }
  return typeof error === 'string' ? { ...answer, error } : answer
}
