/** The first thing that a client gets if it asks for it: the intervals of the server. */
import { z } from 'zod'

export const Hello = z
  .object({
    type: z.literal('hello'),
    heartbeat_interval: z.number(),
    wake_connections_after: z.number(),
  })
  .meta({
    id: 'Hello',
    description: 'The intervals of the server, in seconds. It is no event: it has no id.',
  })

/** In seconds, as the settings are. */
export interface Intervals {
  readonly heartbeatS: number
  readonly wakeS: number
}

/** Returns a `hello` as JSON. It is no event: it has no `id`, and a cursor does not count it. */
export const helloOf = ({ heartbeatS, wakeS }: Intervals): string =>
  JSON.stringify({
    type: 'hello',
    heartbeat_interval: heartbeatS,
    wake_connections_after: wakeS,
  } satisfies z.infer<typeof Hello>)
