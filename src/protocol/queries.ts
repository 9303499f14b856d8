/**
 * The queries of endpoints. Those of endpoints for clients are for documentation: each transport reads and checks its
 * own parameters.
 */
import { z } from 'zod'
import { EXAMPLES } from './examples.ts'
import { looseBoolean } from './fields.ts'
import { CURSOR_PATTERN } from './ids.ts'

/** The name of a JavaScript function, such as `a.b_c.$d` or `handlers[0]`, in ASCII. */
export const CALLBACK_PATTERN =
  '^[A-Za-z_$][A-Za-z0-9_$]*(\\.[A-Za-z_$][A-Za-z0-9_$]*|\\[[0-9]+\\])*$'
export const MAX_CALLBACK_CHARACTERS = 128

/** Never refused here. `more`: keywords of JSON Schema. */
const parameter = (description: string, example: string, more: object = {}) =>
  z
    .unknown()
    .optional()
    .meta({ type: 'string', description, examples: [example], ...more })

const CONN_ID_PARAMETER = parameter('The connection: a UUID in any spelling.', EXAMPLES.connId, {
  format: 'uuid',
})
const CURSOR_PARAMETER = parameter(
  'The id of the last event that the client has. Later events are delivered first. If omitted, delivery continues where the server left off.',
  EXAMPLES.cursor,
  { pattern: CURSOR_PATTERN },
)
/** For requests that may have it in the body instead. */
export const ConnIdQuery = z.looseObject({ conn_id: CONN_ID_PARAMETER })
/** For requests that are refused without it. */
export const RequiredConnIdQuery = ConnIdQuery.meta({ required: ['conn_id'] })
export const StreamQuery = z
  .looseObject({
    conn_id: CONN_ID_PARAMETER,
    cursor: CURSOR_PARAMETER,
    hello: parameter('1: the server first sends its intervals, as Hello.', EXAMPLES.hello),
  })
  .meta({ required: ['conn_id'] })
export const ListenQuery = StreamQuery.extend({
  callback: parameter('The name of a JavaScript function, for JSONP.', EXAMPLES.callback, {
    pattern: CALLBACK_PATTERN,
    maxLength: MAX_CALLBACK_CHARACTERS,
  }),
}).meta({ required: ['conn_id'] })

/** Other parameters, such as the signature, are read elsewhere. */
export const MessageQuery = z.looseObject({
  recipients: looseBoolean
    .default(false)
    .describe(
      '1: the response says for how many connections and users each message was, and which of its channels are unknown.',
    ),
})
