/**
 * The queries of endpoints. Those of endpoints for clients are for documentation: each transport reads and checks its
 * own parameters.
 */
import { z } from 'zod'
import { EXAMPLES } from './examples.ts'
import { looseBoolean } from './fields.ts'

const parameter = (description: string, example: string) =>
  z
    .unknown()
    .optional()
    .meta({ type: 'string', description, examples: [example] })

const CONN_ID_PARAMETER = parameter('The connection: a UUID in any spelling.', EXAMPLES.connId)
const CURSOR_PARAMETER = parameter(
  'The id of the last event that the client has. Later events are delivered first. If omitted, delivery continues where the server left off.',
  EXAMPLES.cursor,
)
export const ConnIdQuery = z.looseObject({ conn_id: CONN_ID_PARAMETER })
export const StreamQuery = z.looseObject({
  conn_id: CONN_ID_PARAMETER,
  cursor: CURSOR_PARAMETER,
  hello: parameter('1: the server first sends its intervals, as Hello.', EXAMPLES.hello),
})
export const ListenQuery = StreamQuery.extend({
  callback: parameter('The name of a JavaScript function, for JSONP.', EXAMPLES.callback),
})

/** Other parameters, such as the signature, are read elsewhere. */
export const MessageQuery = z.looseObject({
  recipients: looseBoolean
    .default(false)
    .describe(
      '1: the response says for how many connections and users each message was, and which of its channels are unknown.',
    ),
})
