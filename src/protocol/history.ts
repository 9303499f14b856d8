/** The request for a part of a history, and the choice of how much of it other answers have. */
import { z } from 'zod'
import { EXAMPLES } from './examples.ts'
import { COMPLAINT, looseBoolean, looseInteger, object, typeComplaint } from './fields.ts'
import { CURSOR_PATTERN, ChannelNameSchema, UserNameSchema, parseCursor } from './ids.ts'

const DEFAULT_PAGE_MESSAGES = 100
const MAX_PAGE_MESSAGES = 1_000

/** True, false, or the number of the newest messages. */
export const HistoryChoice = z.union([
  looseBoolean,
  object({ limit: looseInteger(0).describe('Number of messages, the newest ones.') }),
])
export type HistoryChoice = z.output<typeof HistoryChoice>

const eventId = z
  .string({ error: typeComplaint(COMPLAINT.string) })
  .refine((text) => parseCursor(text) !== undefined, { error: COMPLAINT.eventId })
  .meta({ pattern: CURSOR_PATTERN })

export const HistoryRequest = object({
  channel: ChannelNameSchema.describe('The channel. Unknown channels are an error.'),
  limit: looseInteger(1, MAX_PAGE_MESSAGES)
    .default(DEFAULT_PAGE_MESSAGES)
    .describe('Maximum number of messages in the response.'),
  before: eventId
    .optional()
    .describe(
      'The id of an event: returns the last messages before it, which need not exist any more.',
    ),
  after: eventId
    .optional()
    .describe('The id of an event: returns the first messages after it. Not together with before.'),
  reverse: looseBoolean
    .default(false)
    .describe(
      'Newest first. With neither before nor after, begins with the newest message instead of the oldest.',
    ),
  username: UserNameSchema.optional().describe(
    'Return only what this user may see, without the names of others, so that a browser may have the response. Default: everything.',
  ),
}).meta({ id: 'HistoryRequest', examples: [EXAMPLES.history] })
export type HistoryRequest = z.output<typeof HistoryRequest>
