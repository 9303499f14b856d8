/**
 * Requests that may be sent twice: the `Idempotency-Key` of the draft of the IETF (httpapi).
 *
 * A caller that lost the answer to a request sends it again, with the same key, and is answered as the first time;
 * nothing is done twice. Only signed requests are remembered. Why so: docs/decisions/0013-idempotency-keys.md.
 */
import { createHash, createHmac } from 'node:crypto'
import { RequestError } from '../protocol/errors.ts'
import {
  ERROR_HEADER,
  IDEMPOTENCY_HEADER,
  IDEMPOTENCY_KEY_FORM,
  REPLAYED_HEADER,
} from '../protocol/headers.ts'
import { SIGNATURE_PARAMETER, queryOf } from './auth.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { CachedAnswer, IdempotencyCache, Claim, Settle } from '../store/idempotency-cache.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The body as it came; empty if there is none. */
    bytes: Buffer | null
    /** Set while others may wait for the answer to this request. */
    settle: Settle | null
    /** With a key: the id of what the request makes, the same each time it is done. */
    keyedId: string | undefined
  }
  interface FastifyContextConfig {
    /** What the route does is done once for each `Idempotency-Key`. */
    isKeyed?: boolean
  }
}

/** For routes whose config says `isKeyed`; their answers are JSON. `GET` and `HEAD` change nothing and need no key. */
export function answerRepeats(
  http: FastifyInstance,
  idempotencyCache: IdempotencyCache,
  /** The same for all servers that share answers. */
  secret: string,
): void {
  const idOf = idsBy(secret)
  http.decorateRequest('bytes', null)
  http.decorateRequest('settle', null)
  http.decorateRequest('keyedId', undefined)
  // Once the body is here, and before it is checked: a repeat is answered without looking into it again.
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
 * After a 4xx nothing has changed, and a repeat may do better. After a 500 nobody knows: it must not be done again. A 503
 * asks for a repeat, which the store knows if the first one was done after all.
 */
const isFinal = (status: number): boolean => status < 400 || (status >= 500 && status !== AWAY)
const AWAY = 503

/**
 * The fingerprint of a request that has to be done; undefined if it was a repeat, and is answered. Throws for a key that
 * cannot be one, or is that of another request.
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

/** Makes of a text a UUID that nobody can guess who knows the text, but every server with the same secret. */
const idsBy = (secret: string) => (text: string) => {
  const digest = createHmac('sha256', secret).update(`${ID_DOMAIN}\n${text}`).digest('hex')
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
/** Nothing else that is made with the secret begins like this. */
const ID_DOMAIN = 'channelstream idempotency id'

const JSON_TYPE = 'application/json; charset=utf-8'

/** What a repeat has in common with the first: all but the signature, which a later one may have renewed. */
function fingerprintOf({ method, url, bytes }: FastifyRequest): string {
  const [path = ''] = url.split('?')
  const query = queryOf(url)
  query.delete(SIGNATURE_PARAMETER)
  const head = `${method} ${path}?${query.toString()}\n`
  return createHash('sha256')
    .update(head)
    .update(bytes ?? '')
    .digest('base64url')
}

/** Undefined for a stream: a long answer is not kept. What has one is harmless if it is done again. */
function answerOf(reply: FastifyReply, payload: unknown): CachedAnswer | undefined {
  if (typeof payload !== 'string') return undefined
  const error = reply.getHeader(ERROR_HEADER)
  const answer = { status: reply.statusCode, text: payload }
  return typeof error === 'string' ? { ...answer, error } : answer
}
