import { complaint } from '../protocol/complaints.ts'
import { RequestError, invalid } from '../protocol/errors.ts'
import { parseCursor } from '../protocol/ids.ts'
import type { Cursor } from '../protocol/ids.ts'

/** A query as Fastify parses it. A name that occurs several times has a list of values. */
export type Query = Readonly<Record<string, string | string[] | undefined>>

/** Parses the `cursor` of a query. Throws `INVALID` (422) if it is not a cursor. */
export function cursorOf(text: string | null | undefined): Cursor | undefined {
  if (text === undefined || text === null || text === '') return undefined
  const cursor = parseCursor(text)
  if (!cursor) throw invalid(complaint(['cursor'], 'Not a valid cursor.'))
  return cursor
}

/** Returns whether the `hello` of a query asks for the intervals of the server. */
export const asksForHello = (text: string | undefined): boolean => text === '1'

/** Throws `FOREIGN_ORIGIN` (403) if `allow_cors` does not allow the origin. */
export function checkOrigin(
  origins: { refuses(origin: string | undefined): boolean },
  origin: string | undefined,
): void {
  if (origins.refuses(origin)) throw new RequestError('FOREIGN_ORIGIN')
}
