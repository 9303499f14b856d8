import { ERRORS, RequestError } from '../protocol/errors.ts'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { ErrorCode } from '../protocol/errors.ts'

export interface ErrorReply {
  readonly status: number
  readonly body: unknown
}

/** What Fastify itself finds wrong, in this server's words. */
const FASTIFY_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'BAD_CONTENT_TYPE',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'UNREADABLE',
  FST_ERR_BAD_URL: 'UNREADABLE',
}

/** The one place where errors become answers. What is not expected becomes a bland 500; the log has the rest. */
export function errorReply(error: unknown): ErrorReply {
  const known = error instanceof RequestError ? error : requestErrorOf(error)
  if (known)
    return {
      status: ERRORS[known.code].status,
      body: known.complaints ?? { request: known.message },
    }
  const status = (error as FastifyError | undefined)?.statusCode ?? 500
  if (status >= 400 && status < 500) return { status, body: { request: ERRORS.UNREADABLE.text } }
  return { status: ERRORS.INTERNAL.status, body: { request: ERRORS.INTERNAL.text } }
}

function requestErrorOf(error: unknown): RequestError | undefined {
  const code = FASTIFY_CODES[(error as FastifyError | undefined)?.code ?? '']
  return code && new RequestError(code)
}

export function onError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const { status, body } = errorReply(error)
  if (status >= 500) request.log.error({ err: error }, 'a request failed')
  if (status === ERRORS.STOPPING.status) void reply.header('retry-after', '1')
  void reply.code(status).send(body)
}
