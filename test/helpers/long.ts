import { text } from 'node:stream/consumers'
import { PagedList, PagedRecord } from '../../src/core/queries/paged-answer.ts'
import { streamPagedAnswers } from '../../src/http/json-stream.ts'
import type { PagedChannelsInfo } from '../../src/core/queries/describe.ts'
import type { Yielder } from '../../src/lib/yielder.ts'
import type { ChannelsInfo } from '../../src/protocol/responses.ts'

export const neverYield: Yielder = () => undefined

/** What a client gets of an answer, long or not. */
export async function asWritten(answer: unknown, maybeYield = neverYield): Promise<unknown> {
  const write = streamPagedAnswers(maybeYield)({} as never) as (
    answer: unknown,
  ) => string | AsyncIterable<string>
  const written = write(answer)
  return JSON.parse(typeof written === 'string' ? written : await text(written as never))
}

/** Insists that an answer was made at once. */
export function atOnce(info: ChannelsInfo | PagedChannelsInfo): ChannelsInfo {
  if (info.channels instanceof PagedRecord) throw new Error('the answer is a long one')
  return info as ChannelsInfo
}

/** Insists that a list was made at once. */
export function listAtOnce<Item>(list: readonly Item[] | PagedList<Item>): readonly Item[] {
  if (list instanceof PagedList) throw new Error('the list is a long one')
  return list
}
