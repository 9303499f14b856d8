import { Readable } from 'node:stream'
import { PagedList, PagedRecord } from '../core/queries/paged-answer.ts'
import { writeJson } from '../protocol/exact-numbers.ts'
import type { FastifySerializerCompiler } from 'fastify'
import type { Yielder } from '../lib/yielder.ts'

/** Characters that are handed to the network at once. */
const CHUNK_LENGTH = 32_768

/**
 * Lets Fastify write answers with long parts as streams: page by page, as fast as the client reads, with breaths in
 * between. Other answers of the route are written at once.
 */
export const streamPagedAnswers =
  (maybeYield: Yielder): FastifySerializerCompiler<unknown> =>
  () =>
  (answer) =>
    // Fastify sends what it is given, a stream too, but its type knows only texts.
    isLong(answer)
      ? (Readable.from(chunks(answer, maybeYield), { objectMode: false }) as unknown as string)
      : writeJson(answer)

/** Long parts are at the top, or one or two levels down in plain objects. */
function isLong(value: unknown, depth = 3): boolean {
  if (value instanceof PagedList || value instanceof PagedRecord) return true
  if (depth === 0 || typeof value !== 'object' || value === null || Array.isArray(value))
    return false
  return Object.values(value).some((inner) => isLong(inner, depth - 1))
}

async function* chunks(value: unknown, maybeYield: Yielder): AsyncGenerator<string> {
  let text = ''
  for await (const piece of pieces(value)) {
    text += piece
    const pause = maybeYield()
    if (pause) await pause
    if (text.length < CHUNK_LENGTH) continue
    yield text
    text = ''
  }
  yield text
}

async function* pieces(value: unknown): AsyncGenerator<string> {
  if (value instanceof PagedList) yield* list(value)
  else if (value instanceof PagedRecord) yield* record(value.pages)
  else if (isLong(value)) yield* record([Object.entries(value as object)])
  else yield writeJson(value)
}

async function* list({ pages }: PagedList): AsyncGenerator<string> {
  let before = '['
  for await (const page of pages) {
    for (const item of page) {
      if (isLong(item)) {
        yield before
        yield* pieces(item)
      } else yield before + writeJson(item)
      before = ','
    }
  }
  yield before === '[' ? '[]' : ']'
}

type Entries = readonly (readonly [string, unknown])[]

async function* record(pages: AsyncIterable<Entries> | Iterable<Entries>): AsyncGenerator<string> {
  let before = '{'
  for await (const page of pages) {
    for (const [key, value] of page) {
      if (value === undefined) continue
      const name = `${before}${JSON.stringify(key)}:`
      if (isLong(value)) {
        yield name
        yield* pieces(value)
      } else yield name + writeJson(value)
      before = ','
    }
  }
  yield before === '{' ? '{}' : '}'
}
