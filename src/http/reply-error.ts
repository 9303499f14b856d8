import { STATUS_CODES } from 'node:http'
import { ERRORS, RequestError } from '../protocol/errors.ts'
import { ERROR_HEADER } from '../protocol/headers.ts'
import { StoreAway } from '../store/store.ts'
import { windUp } from '../lib/unread.ts'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { ErrorCode } from '../protocol/errors.ts'
import type { Socket } from 'node:net'

export interface ErrorReply {
  readonly code: ErrorCode
  readonly status: number
  readonly body: unknown
}

/** What Fastify itself finds wrong, in this server's words. */
const FASTIFY_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'TOO_LARGE',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'UNREADABLE',
  FST_ERR_BAD_URL: 'UNREADABLE',
}

/** The one place where errors become answers. What is not expected becomes a bland 500; the log has the rest. */
export function errorReply(error: unknown): ErrorReply {
  const known = error instanceof RequestError ? error : requestErrorOf(error)
  if (known) {
    const { code, complaints, message } = known
    return { code, status: ERRORS[code].status, body: complaints ?? { request: message } }
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
  if (error instanceof StoreAway) return new RequestError('STORE_AWAY')
  const code = FASTIFY_CODES[(error as FastifyError | undefined)?.code ?? '']
  return code && new RequestError(code)
}

export function onError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const { code, status, body } = errorReply(error)
  // A store that is away says so itself, once, and not for each request.
  if (status >= 500 && status !== 503) request.log.error({ err: error }, 'a request failed')
  if (status === 503) void reply.header('retry-after', '1')
  if (code === 'STOPPING') void reply.header('connection', 'close')
  void reply.header(ERROR_HEADER, code).code(status).send(body)
}

/** Answers what is no HTTP at all, or too much of it, or too slow, and lets go of the connection. */
export function onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code !== TOO_SLOW) refuse(error, socket)
  // Node looks for those every few seconds, and finds all of them at once.
  else windUp(() => refuse(error, socket))
}

function refuse(error: NodeJS.ErrnoException, socket: Socket): void {
  const status = CLIENT_ERROR_STATUS[error.code ?? ''] ?? 400
  if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy(error)
  else socket.end(rawReply(plainReply('UNREADABLE', status)), () => socket.destroy())
}

const TOO_SLOW = 'ERR_HTTP_REQUEST_TIMEOUT'
const CLIENT_ERROR_STATUS: Readonly<Record<string, number>> = {
  [TOO_SLOW]: 408,
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
}

/** An error as bytes of HTTP/1.1, for connections that no framework answers. */
export function rawReply({ code, status, body }: ErrorReply): string {
  const text = JSON.stringify(body)
  const headers = [
    'Connection: close',
    'Content-Type: application/json; charset=utf-8',
    'X-Content-Type-Options: nosniff',
    'Cache-Control: no-store',
    `${ERROR_HEADER}: ${code}`,
    `Content-Length: ${Buffer.byteLength(text)}`,
  ]
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${headers.join('\r\n')}\r\n\r\n${text}`
}
