/** Messages, edits and deletes as a backend gets them back: with the fields that the server added. */
import { z } from 'zod'
import { EXAMPLES } from './examples.ts'
import { payload } from './fields.ts'
import { ChannelNameSchema, UserNameSchema } from './ids.ts'

/** To whom a message was delivered, as the request says, with the defaults filled in. */
const delivery = {
  channel: ChannelNameSchema.nullable().describe('null for a private message.'),
  channels: z
    .array(ChannelNameSchema)
    .optional()
    .describe('Only if the request has it: the channels, instead of channel.'),
  pm_users: z.array(UserNameSchema),
  exclude_users: z.array(UserNameSchema),
  no_history: z.boolean(),
}

export const PostedMessage = z
  .looseObject({
    ...delivery,
    uuid: z.guid().describe('The id of the message, for edits and deletes.'),
    timestamp: z
      .string()
      .describe('ISO 8601, in UTC and without a zone, unless the request gave a zone.'),
    user: UserNameSchema,
    message: payload.optional().describe('The payload, if the request has one.'),
    edited: z.null(),
  })
  .meta({
    id: 'PostedMessage',
    description: 'A message as it was posted. Additional keys are those of the request.',
    examples: [EXAMPLES.posted],
  })
export type PostedMessage = z.output<typeof PostedMessage>

export const PostedEdit = z
  .looseObject({
    ...delivery,
    uuid: z.guid().describe('The message to edit.'),
    timestamp: z.string().optional().describe('Only if the request has it.'),
    user: UserNameSchema.optional().describe('Only if the request has it.'),
    message: payload.optional().describe('Only if the request has it.'),
    edited: z.string().describe('Time of the edit: ISO 8601, in UTC if it has no zone.'),
  })
  .meta({
    id: 'PostedEdit',
    description: 'An edit as it was posted. Additional keys are those of the request.',
    examples: [EXAMPLES.edited],
  })
export type PostedEdit = z.output<typeof PostedEdit>

export const PostedDelete = z
  .object({ ...delivery, uuid: z.guid().describe('The message to delete.') })
  .meta({ id: 'PostedDelete', examples: [EXAMPLES.deleted] })
export type PostedDelete = z.output<typeof PostedDelete>
