import { text } from 'node:stream/consumers'
import { PagedList, PagedRecord } from '../../src/core/queries/paged-answer.ts'
import { streamPagedAnswers } from '../../src/http/json-stream.ts'
import type { PagedChannelsInfo } from '../../src/core/queries/channels-info.ts'
import type { Yielder } from '../../src/lib/yielder.ts'
import type { ChannelsInfo } from '../../src/protocol/responses.ts'

export const neverYield: Yielder = () => undefined

/** Resolves with an answer as the client gets it, streamed or not. */
export async function asWritten(answer: unknown, maybeYield = neverYield): Promise<unknown> {
  const write = streamPagedAnswers(maybeYield)({} as never) as (
    answer: unknown,
  ) => string | AsyncIterable<string>
  const written = write(answer)
  return JSON.parse(typeof written === 'string' ? written : await text(written as never))
}

/** Asserts that an answer is not paged. */
export function atOnce(info: ChannelsInfo | PagedChannelsInfo): ChannelsInfo {
  if (info.channels instanceof PagedRecord) throw new Error('the answer is paged')
  return info as ChannelsInfo
}

/** Asserts that a list is not paged. */
export function listAtOnce<Item>(list: readonly Item[] | PagedList<Item>): readonly Item[] {
  if (list instanceof PagedList) throw new Error('the list is paged')
  return list
}
