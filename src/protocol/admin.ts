/** Requests and answers of the admin panel, in addition to the API for backends. */
import { z } from 'zod'
import { EXAMPLES } from './examples.ts'
import { looseInteger, scalar, text } from './fields.ts'
import { ChannelNameSchema, ConnIdSchema, UserNameSchema } from './ids.ts'

/** Maximum number of rows in one answer. */
export const MAX_PAGE_ROWS = 500
/** Maximum number of connections listed for a user. */
export const MAX_LISTED_CONNECTIONS = 100
const DEFAULT_PAGE_ROWS = 100
const MAX_SEARCH_CHARACTERS = 512

const oneOf = <const Words extends readonly [string, ...string[]]>(words: Words) =>
  z.enum(words, { error: `Must be one of: ${words.join(', ')}.` })

const page = {
  search: text(0, MAX_SEARCH_CHARACTERS)
    .default('')
    .describe('Only names that contain this text, in any letter case.'),
  order: oneOf(['asc', 'desc'])
    .default('asc')
    .describe('`asc` or `desc`. Rows with equal values are sorted by name.'),
  offset: looseInteger(0).default(0).describe('Number of rows to skip.'),
  limit: looseInteger(1, MAX_PAGE_ROWS)
    .default(DEFAULT_PAGE_ROWS)
    .describe(`Number of rows to return, at most ${MAX_PAGE_ROWS}.`),
}

const CHANNEL_ORDERS = [
  'name',
  'total_connections',
  'total_users',
  'history_length',
  'last_active',
] as const
export const ChannelsQuery = z.object({
  ...page,
  sort: oneOf(CHANNEL_ORDERS)
    .default('name')
    .describe(`The field to sort by: ${CHANNEL_ORDERS.map((word) => `\`${word}\``).join(', ')}.`),
})
export type ChannelsQuery = z.output<typeof ChannelsQuery>

export const UsersQuery = z.object({
  ...page,
  sort: oneOf(['user', 'total_connections'])
    .default('user')
    .describe(
      'The field to sort by: `user` or `total_connections`. Members of a channel are always sorted by name.',
    ),
  channel: ChannelNameSchema.optional().describe('Only members of this channel.'),
  user: UserNameSchema.optional().describe(
    'Only this user. The other parameters are then ignored.',
  ),
})
export type UsersQuery = z.output<typeof UsersQuery>

const rowsOf = <Row extends z.ZodType>(row: Row) => ({
  total: z.int().min(0).describe('Total number of rows, independent of limit and offset.'),
  rows: z.array(row),
})

export const ChannelRow = z.object({
  name: z.string().describe('Any text, since /channel_config accepts any name.'),
  total_connections: z.int().min(0),
  total_users: z.int().min(0),
  history_length: z.int().min(0).describe('Messages in the history.'),
  last_active: z.string().describe('ISO 8601, UTC.'),
})
export type ChannelRow = z.output<typeof ChannelRow>
export const ChannelsPage = z
  .object(rowsOf(ChannelRow))
  .meta({ id: 'ChannelsPage', examples: [EXAMPLES.channelsPage] })
export type ChannelsPage = z.output<typeof ChannelsPage>

export const UserRow = z.object({
  user: UserNameSchema,
  uuid: z.guid(),
  state: z.record(z.string(), scalar).describe('The whole state, private keys too.'),
  public_keys: z.array(z.string()).describe('Keys of the state that others may see.'),
  total_connections: z.int().min(0),
  connections: z
    .array(ConnIdSchema)
    .describe(`The first ${MAX_LISTED_CONNECTIONS} of the connections.`),
})
export type UserRow = z.output<typeof UserRow>
export const UsersPage = z
  .object(rowsOf(UserRow))
  .meta({ id: 'UsersPage', examples: [EXAMPLES.usersPage] })
export type UsersPage = z.output<typeof UsersPage>

/** One sample of the server's figures. */
export const Reading = z
  .object({
    users: z.number().describe('Users known, connected or not.'),
    connected_users: z.number().describe('Users with a connection.'),
    connections: z.number().describe('Connections known, with or without a client.'),
    open_connections: z
      .number()
      .describe('Clients with an open WebSocket, event stream or poll on this server.'),
    guests: z.number().describe('Listeners on this server that are not users.'),
    channels: z.number(),
    messages_per_second: z.number().describe('Messages posted.'),
    events_per_second: z.number().describe('Delivered events, counted once for each client.'),
    bytes_per_second: z.number().describe('Bytes of the delivered events as JSON.'),
    held_bytes: z.number().describe('Bytes queued for clients that have not read them yet.'),
    memory_bytes: z.number().describe('Memory of the process (RSS).'),
    event_loop_delay_ms: z.number().describe('Event loop delay in milliseconds, p99.'),
  })
  .meta({ id: 'Reading' })
export type Reading = z.output<typeof Reading>
export const FIGURES = Object.keys(Reading.shape) as readonly (keyof Reading)[]

export const FiguresResponse = z
  .object({
    version: z.string(),
    uptime_seconds: z.number(),
    interval_seconds: z.number().describe('Time between two samples.'),
    times: z
      .array(z.number())
      .describe('Time of each sample: milliseconds since 1970, oldest first.'),
    series: z
      .record(z.string(), z.array(z.number()))
      .describe('For each field of `current`, its samples of the last hour.'),
    current: Reading.describe('The newest sample.'),
  })
  .meta({ id: 'FiguresResponse', examples: [EXAMPLES.figures] })
export type FiguresResponse = z.output<typeof FiguresResponse>

export const WebhookRow = z
  .object({
    endpoint: z.string().describe('The url, without user, password and query.'),
    queued: z.number().describe('Events that it has not got yet.'),
    dropped: z.number().describe('Events that were dropped because the queue was full.'),
    failures: z.number().describe('Failed requests since the last success.'),
    last_error: z.string().nullable(),
    last_error_at: z.number().nullable().describe('Milliseconds since 1970.'),
    last_success_at: z.number().nullable().describe('Milliseconds since 1970.'),
  })
  .meta({ id: 'WebhookRow' })
export type WebhookRow = z.output<typeof WebhookRow>

export const WebhooksResponse = z
  .object({ webhooks: z.array(WebhookRow).describe('Empty without `webhook_url`.') })
  .meta({ id: 'WebhooksResponse', examples: [EXAMPLES.webhooks] })
export type WebhooksResponse = z.output<typeof WebhooksResponse>

/** Requests of the panel over its WebSocket. */
export const LiveRequest = z.discriminatedUnion('type', [
  z
    .strictObject({ type: z.literal('tail'), channel: ChannelNameSchema })
    .describe('Listen to this channel instead of the previous one.'),
  z.strictObject({ type: z.literal('untail') }),
])
export type LiveRequest = z.output<typeof LiveRequest>

/**
 * What the server sends to the panel over its WebSocket, in addition to lists of events of the channel it listens to.
 */
export const LiveReport = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('figures'),
    time: z.number().describe('Milliseconds since 1970.'),
    uptime_seconds: z.number(),
    figures: Reading,
  }),
  z.object({
    type: z.literal('tailing'),
    channel: ChannelNameSchema.describe('Events of this channel follow from now on.'),
  }),
])
export type LiveReport = z.output<typeof LiveReport>

/** Parses a request. Returns undefined if the text is not a valid request. */
export function parseLiveRequest(json: string): LiveRequest | undefined {
  try {
    return LiveRequest.safeParse(JSON.parse(json)).data
  } catch {
    return undefined // not JSON
  }
}
