import { Pool } from 'undici'
import { reasonOf } from '../lib/reason.ts'
import { VERSION } from '../version.ts'
import type { Dispatcher } from 'undici'
import type { Clock } from '../lib/clock.ts'
import type { Endpoint } from './endpoint.ts'
import type { SignWebhook } from './signature.ts'

/** Undefined: the endpoint has taken the events. */
export type PostFailure = {
  /** For people. */
  readonly reason: string
  /** For metrics: the status, or `error`. */
  readonly result: string
  /** What the endpoint asked for. */
  readonly retryAfterMs: number | undefined
}

/** Posts to one endpoint. */
export interface HttpPost {
  post(body: string): Promise<PostFailure | undefined>
  /** Ends requests in progress. */
  close(): Promise<void>
}

interface HttpPostOptions {
  readonly endpoint: Endpoint
  readonly connections: number
  readonly timeoutMs: number
  readonly sign: SignWebhook
  readonly clock: Pick<Clock, 'wallTime'>
}

/** Answers have no meaning beyond their status. More of one is not read. */
const MAX_ANSWER_BYTES = 65_536
/** Less than most servers keep an idle connection, so that they do not close one that is about to be used. */
const KEEP_ALIVE_MS = 1000
const LONGEST_WAIT_MS = 3_600_000

/** Redirects are failures: the endpoint is what the operator has set. */
export function httpPost({
  endpoint,
  connections,
  timeoutMs,
  sign,
  clock,
}: HttpPostOptions): HttpPost {
  const pool = new Pool(endpoint.origin, {
    connections,
    pipelining: 1,
    connect: { timeout: timeoutMs },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
  })
  const ended = new AbortController()

  async function request(body: string, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    return pool.request({
      method: 'POST',
      path: endpoint.target,
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'user-agent': `channelstream/${VERSION}`,
        ...(endpoint.authorization !== undefined && { authorization: endpoint.authorization }),
        ...sign(endpoint.path, body, clock.wallTime() / 1000),
      },
      body,
      signal,
    })
  }

  return {
    async post(body) {
      const limit = limitOf(timeoutMs, ended.signal)
      const { signal } = limit
      try {
        const answer = await request(body, signal)
        // The status is known. An answer that breaks off, or never ends, changes nothing about it.
        await answer.body
          .dump({ limit: MAX_ANSWER_BYTES, signal })
          .catch(() => answer.body.destroy())
        return failureOf(answer, clock.wallTime())
      } catch (error) {
        const reason = limit.isLate ? `no answer within ${timeoutMs} ms` : reasonOf(error)
        return { reason, result: 'error', retryAfterMs: undefined }
      } finally {
        limit.release()
      }
    },
    async close() {
      ended.abort()
      await pool.destroy()
    },
  }
}

/**
 * A signal for one request. Not `AbortSignal.any`: the signal `ended` lives as long as the server, and could remember one
 * for each request.
 */
function limitOf(timeoutMs: number, ended: AbortSignal) {
  const controller = new AbortController()
  const stop = (): void => controller.abort()
  const limit = {
    signal: controller.signal,
    isLate: false,
    release(): void {
      clearTimeout(timer)
      ended.removeEventListener('abort', stop)
    },
  }
  const timer = setTimeout(() => {
    limit.isLate = true
    stop()
  }, timeoutMs)
  if (ended.aborted) stop()
  else ended.addEventListener('abort', stop)
  return limit
}

function failureOf(
  { statusCode, headers }: Dispatcher.ResponseData,
  now: number,
): PostFailure | undefined {
  if (statusCode >= 200 && statusCode < 300) return undefined
  const isRedirect = statusCode >= 300 && statusCode < 400
  const where = isRedirect && headers.location ? `, a redirect to ${String(headers.location)}` : ''
  return {
    reason: `status ${statusCode}${where}`,
    result: String(statusCode),
    retryAfterMs: readRetryAfter(headers['retry-after'], now),
  }
}

/** Reads seconds or a date. Undefined if it is neither. */
export function readRetryAfter(value: unknown, now: number): number | undefined {
  if (typeof value !== 'string') return undefined
  const isDate = /^[a-z]{3,9},? /i.test(value)
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : isDate ? Date.parse(value) - now : NaN
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), LONGEST_WAIT_MS) : undefined
}
