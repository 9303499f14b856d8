import { bytesOf } from '../net/answers.ts'
import { REFUSED_RETRY_SECONDS } from '../net/socket-limits.ts'
import { ERRORS, RequestError } from '../protocol/errors.ts'
import { ERROR_HEADER } from '../protocol/headers.ts'
import { StoreUnavailable } from '../store/store.ts'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { PlainAnswer } from '../net/answers.ts'
import type { ErrorCode } from '../protocol/errors.ts'

export interface ErrorReply {
  readonly code: ErrorCode
  readonly status: number
  readonly body: unknown
  readonly retryAfterSeconds?: number | undefined
}

/** Errors that Fastify itself raises, as codes of this server. */
const FASTIFY_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'TOO_LARGE',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'UNREADABLE',
  FST_ERR_BAD_URL: 'UNREADABLE',
}

/**
 * The only place where errors become answers. Unexpected errors become a generic 500; their details are only logged.
 */
export function errorReply(error: unknown): ErrorReply {
  const known = error instanceof RequestError ? error : requestErrorOf(error)
  if (known) {
    const { code, complaints, message, retryAfterSeconds } = known
    const body = complaints ?? { request: message }
    return { code, status: ERRORS[code].status, body, retryAfterSeconds }
  }
  const status = (error as FastifyError | undefined)?.statusCode ?? 500
  return status >= 400 && status < 500 ? plainReply('UNREADABLE', status) : plainReply('INTERNAL')
}

const plainReply = (code: ErrorCode, status: number = ERRORS[code].status): ErrorReply => ({
  code,
  status,
  body: { request: ERRORS[code].text },
})

function requestErrorOf(error: unknown): RequestError | undefined {
  if (error instanceof StoreUnavailable) return new RequestError('STORE_AWAY')
  const code = FASTIFY_CODES[(error as FastifyError | undefined)?.code ?? '']
  return code && new RequestError(code)
}

export function onError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const { code, status, body, retryAfterSeconds } = errorReply(error)
  // The store itself logs once that it is unavailable, so it is not logged for each request.
  if (status >= 500 && status !== 503) request.log.error({ err: error }, 'a request failed')
  const wait = retryAfterSeconds?.toString() ?? retryAfter(code, status)
  if (wait !== undefined) void reply.header('retry-after', wait)
  if (code === 'STOPPING') void reply.header('connection', 'close')
  // Source: RFC 9110, 12.5.3.
  if (code === 'ENCODED_BODY') void reply.header('accept-encoding', 'identity')
  void reply.header(ERROR_HEADER, code).code(status).send(body)
}

/** Returns after how many seconds to retry. Undefined if waiting does not help, or if the time is unknown. */
function retryAfter(code: ErrorCode, status: number): string | undefined {
  if (code === 'SERVER_FULL' || code === 'TOO_MANY_SOCKETS') return String(REFUSED_RETRY_SECONDS)
  return status === 503 ? '1' : undefined
}

/** Returns an error as HTTP/1.1 bytes, for connections that no framework handles. */
export const rawReply = (error: ErrorReply): string => bytesOf(plainAnswer(error))

/** Returns the answer, by status, to a socket or request that never reaches a route. */
export function refusalAnswer(status: number): PlainAnswer {
  if (status === 429) return plainAnswer(plainReply('TOO_MANY_SOCKETS'))
  return plainAnswer(status === 503 ? plainReply('SERVER_FULL') : plainReply('UNREADABLE', status))
}

function plainAnswer({ code, status, body }: ErrorReply): PlainAnswer {
  const text = JSON.stringify(body)
  const wait = retryAfter(code, status)
  return {
    status,
    headers: {
      'Content-Type': 'application/json; charset=utf-8',
      'X-Content-Type-Options': 'nosniff',
      'Cache-Control': 'no-store',
      [ERROR_HEADER]: code,
      ...(wait !== undefined && { 'Retry-After': wait }),
      'Content-Length': Buffer.byteLength(text),
    },
    text,
  }
}
