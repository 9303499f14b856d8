import { Readable } from 'node:stream'
import { PagedList, PagedRecord } from '../core/queries/paged-answer.ts'
import { writeJson } from '../protocol/exact-numbers.ts'
import type { FastifySerializerCompiler } from 'fastify'
import type { Yielder } from '../lib/yielder.ts'

/** Characters per chunk that is passed to the network. */
const CHUNK_LENGTH = 32_768

/**
 * Lets Fastify stream answers that contain paged lists or records: page by page, as fast as the client reads, and
 * yielding to the event loop in between. Other answers are written in one piece.
 */
export const streamPagedAnswers =
  (maybeYield: Yielder): FastifySerializerCompiler<unknown> =>
  () =>
  (answer) =>
    // Fastify also sends streams, but its type allows only strings.
    isPaged(answer)
      ? (Readable.from(chunks(answer, maybeYield), { objectMode: false }) as unknown as string)
      : writeJson(answer)

/** Looks at the top level and up to three levels down in plain objects. */
function isPaged(value: unknown, depth = 3): boolean {
  if (value instanceof PagedList || value instanceof PagedRecord) return true
  if (depth === 0 || typeof value !== 'object' || value === null || Array.isArray(value))
    return false
  return Object.values(value).some((inner) => isPaged(inner, depth - 1))
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
  else if (isPaged(value)) yield* record([Object.entries(value as object)])
  else yield writeJson(value)
}

async function* list({ pages }: PagedList): AsyncGenerator<string> {
  let before = '['
  for await (const page of pages) {
    for (const item of page) {
      if (isPaged(item)) {
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
      if (isPaged(value)) {
        yield name
        yield* pieces(value)
      } else yield name + writeJson(value)
      before = ','
    }
  }
  yield before === '{' ? '{}' : '}'
}
