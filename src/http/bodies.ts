/** Which bodies are read, up to what size, and in which format. */
import { announcedLength } from '../net/unread-rest.ts'
import { RequestError } from '../protocol/errors.ts'
import { BodyReader } from './body-reader.ts'
import { LONG_BYTES, parseJson, parseLongJson } from './body.ts'
import { TurnBudget } from './turn-budget.ts'
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** How the body is read; JSON by default. `unread`: the route ignores the body. */
    body?: 'form' | 'unread'
  }
}

export interface BodyLimits {
  /** For one body. */
  readonly maxBodyBytes: number
  /** For all bodies together that are in memory. */
  readonly maxHeldBytes: number
}

/** Unsigned requests contain only a conn_id. */
const MAX_UNSIGNED_BYTES = 1024
/** Forms contain a user name and a password. */
const MAX_FORM_BYTES = 4096

type Parsed = (error: Error | null, content?: unknown) => void

export function readBodies(http: FastifyInstance, limits: BodyLimits): void {
  const reader = new BodyReader(limits.maxHeldBytes)
  const turnBudget = new TurnBudget()
  http.removeAllContentTypeParsers()
  http.addContentTypeParser('*', (request, payload, done) => {
    if (request.is404 || request.routeOptions.config.body === 'unread') {
      const isTooLarge = (announcedLength(request.raw) ?? 0) > limits.maxBodyBytes
      return done(isTooLarge ? new RequestError('TOO_LARGE') : null)
    }
    if (isEncoded(request.raw)) return done(new RequestError('ENCODED_BODY'))
    reader.read(payload, maxBytesOf(request, limits), (error, body) => {
      if (!body) return done(error ?? null)
      request.bytes = body.bytes
      const parsed: Parsed = (fault, content) => {
        body.release()
        done(fault, content)
      }
      parse(turnBudget, request, body.bytes, parsed)
    })
  })
}

/** Whether `Content-Encoding` names anything else than `identity`. It may be a list. */
const isEncoded = ({ headers }: IncomingMessage): boolean =>
  headers['content-encoding']
    ?.split(',')
    .some((coding) => !['', 'identity'].includes(coding.trim().toLowerCase())) ?? false

function maxBytesOf(
  { routeOptions, caller }: FastifyRequest,
  { maxBodyBytes }: BodyLimits,
): number {
  if (routeOptions.config.body === 'form') return Math.min(MAX_FORM_BYTES, maxBodyBytes)
  return caller.isBackend ? maxBodyBytes : Math.min(MAX_UNSIGNED_BYTES, maxBodyBytes)
}

function parse(turnBudget: TurnBudget, request: FastifyRequest, bytes: Buffer, done: Parsed): void {
  const isForm = request.routeOptions.config.body === 'form'
  if (bytes.length > LONG_BYTES && !isForm) return turnBudget.takeSteps(parseLongJson(bytes), done)
  const read = isForm ? parseForm : parseJson
  const run = (): void => {
    let content: unknown
    try {
      content = read(bytes)
    } catch (error) {
      return done(error as Error)
    }
    done(null, content)
  }
  turnBudget.take({ bytes: bytes.length, run })
}

const parseForm = (bytes: Buffer): unknown =>
  Object.fromEntries(new URLSearchParams(bytes.toString()))
