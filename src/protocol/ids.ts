/** Names and ids with branded types, so that they cannot be mixed up. Values are made only here. */
import { z } from 'zod'
import { canonicalUuid, name, uuid } from './fields.ts'

/** A channel's name: 1 to 256 code points, compared exactly. */
export const ChannelNameSchema = name(1, 256).brand<'ChannelName'>()
export type ChannelName = z.infer<typeof ChannelNameSchema>

/** A user's name: 1 to 512 code points, compared exactly. */
export const UserNameSchema = name(1, 512).brand<'UserName'>()
export type UserName = z.infer<typeof UserNameSchema>

/** The id of a connection: a UUID in lower case with dashes. The backend chooses it, or the server does. */
export const ConnIdSchema = uuid.pipe(z.string().meta({ format: 'uuid' }).brand<'ConnId'>())
export type ConnId = z.infer<typeof ConnIdSchema>

/** Parses an id in any spelling of a UUID. Returns undefined if it is not a UUID. */
export const parseConnId = (spelling: string): ConnId | undefined =>
  canonicalUuid(spelling) as ConnId | undefined

/**
 * A position in the installation's stream of events: `<epoch>-<n>`.
 *
 * `n` grows by one per event. `epoch` changes when the store loses its memory, to distinguish old numbers from new
 * ones. Clients treat the text as opaque and send it as `?cursor=`.
 */
export interface Cursor {
  readonly epoch: string
  /** 0 to 2^53-1. */
  readonly n: number
}

export const CURSOR_PATTERN = '^([0-9A-Za-z]{1,32})-(0|[1-9][0-9]{0,15})$'
const CURSOR = new RegExp(CURSOR_PATTERN)

/** Parses a cursor. Returns undefined if `text` is not a cursor. */
export function parseCursor(text: string): Cursor | undefined {
  const match = CURSOR.exec(text)
  if (!match) return undefined
  const n = Number(match[2])
  return Number.isSafeInteger(n) ? { epoch: match[1] as string, n } : undefined
}

/** Returns the text of a cursor, as in the `id` of events. */
export const formatCursor = (cursor: Cursor): string => `${cursor.epoch}-${cursor.n}`
