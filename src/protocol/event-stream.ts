/** What `/sse` has besides events: the header with which `EventSource` comes back, and the reason of an end. */
import { z } from 'zod'
import { EXAMPLES } from './examples.ts'
import type { CloseReason } from './close-codes.ts'

/** In lower case. */
export const LAST_EVENT_ID_HEADER = 'last-event-id'

/** For documentation only, as the parameters of queries are. */
export const EventStreamHeaders = z.looseObject({
  [LAST_EVENT_ID_HEADER]: z
    .unknown()
    .optional()
    .meta({
      type: 'string',
      description:
        'The id of the last event that the client has. EventSource sends it when it comes back. Takes precedence over cursor.',
      examples: [EXAMPLES.cursor],
    }),
})

/** The data of the event `close`: why the server ends the stream. The codes are those of WebSockets. */
export const StreamClosed = z.object({
  type: z.literal('close'),
  code: z.number(),
  reason: z.string(),
})

/** Returns the data of the event `close` as JSON. */
export const streamClosed = ({ code, text }: CloseReason): string =>
  JSON.stringify({ type: 'close', code, reason: text } satisfies z.infer<typeof StreamClosed>)
