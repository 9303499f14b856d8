/** Names and numbers that must not be mixed up. Each is minted here only. */
import { z } from 'zod'
import { canonicalUuid, name, uuid } from './fields.ts'

/** A channel's name: 1 to 256 code points, compared exactly. */
export const ChannelNameSchema = name(1, 256).brand<'ChannelName'>()
export type ChannelName = z.infer<typeof ChannelNameSchema>

/** A user's name: 1 to 512 code points, compared exactly. */
export const UserNameSchema = name(1, 512).brand<'UserName'>()
export type UserName = z.infer<typeof UserNameSchema>

/** A connection's id: a UUID, lower case with dashes; the backend gets or chooses it. */
export const ConnIdSchema = uuid.pipe(z.string().brand<'ConnId'>())
export type ConnId = z.infer<typeof ConnIdSchema>

/** The id in any spelling of a UUID, or undefined. */
export const parseConnId = (spelling: string): ConnId | undefined =>
  canonicalUuid(spelling) as ConnId | undefined

/**
 * Where in the installation's stream of events something is: `<epoch>-<n>`.
 *
 * `n` grows by one per event; `epoch` changes when the store has lost its memory, so that a number from before can be
 * told from one of now. Clients treat the text as opaque and hand it back as `?cursor=`.
 */
export interface Cursor {
  readonly epoch: string
  /** 0 to 2^53-1. */
  readonly n: number
}

const CURSOR = /^([0-9A-Za-z]{1,32})-(0|[1-9]\d{0,15})$/

/** The cursor that `text` spells, or undefined. */
export function parseCursor(text: string): Cursor | undefined {
  const match = CURSOR.exec(text)
  if (!match) return undefined
  const n = Number(match[2])
  return Number.isSafeInteger(n) ? { epoch: match[1] as string, n } : undefined
}

/** The text of a cursor, as events carry it in `id`. */
export const formatCursor = (cursor: Cursor): string => `${cursor.epoch}-${cursor.n}`
