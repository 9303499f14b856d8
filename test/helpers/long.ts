import { text } from 'node:stream/consumers'
import { LongList, LongRecord } from '../../src/core/queries/paged-answer.ts'
import { longAnswers } from '../../src/http/json-stream.ts'
import type { Breath } from '../../src/core/queries/paged-answer.ts'
import type { ChannelsInfo } from '../../src/protocol/responses.ts'
import type { LongChannelsInfo } from '../../src/core/queries/describe.ts'

export const noBreath: Breath = () => undefined

/** What a client gets of an answer, long or not. */
export async function asWritten(answer: unknown, breath = noBreath): Promise<unknown> {
  const write = longAnswers(breath)({} as never) as (
    answer: unknown,
  ) => string | AsyncIterable<string>
  const written = write(answer)
  return JSON.parse(typeof written === 'string' ? written : await text(written as never))
}

/** Insists that an answer was made at once. */
export function atOnce(info: ChannelsInfo | LongChannelsInfo): ChannelsInfo {
  if (info.channels instanceof LongRecord) throw new Error('the answer is a long one')
  return info as ChannelsInfo
}

/** Insists that a list was made at once. */
export function listAtOnce<Item>(list: readonly Item[] | LongList<Item>): readonly Item[] {
  if (list instanceof LongList) throw new Error('the list is a long one')
  return list
}
