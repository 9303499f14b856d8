/** What clients, and others on Redis, write: frames and what is in them. */
import { foldName, membersOf, wellFormed } from './go-json.ts'

/** Fields of a message. What was left out is empty, as it is on the way out. */
export interface Written {
  readonly id: string
  readonly issuer: string
  readonly channel: string
  readonly data: string
  readonly event: string
}

export type Field = keyof Written

/** What the JWT generation knows. `issuer` is the server's, but has to be a string if it is there. */
export const JWT_FIELDS: readonly Field[] = ['issuer', 'channel', 'data']
export const REDIS_FIELDS: readonly Field[] = ['id', 'issuer', 'channel', 'data', 'event']

const NOTHING: Written = { id: '', issuer: '', channel: '', data: '', event: '' }

/** Undefined: no JSON, no object, or a field that is no string. Other members are passed over, whatever they are. */
export function readMessage(text: string, fields: readonly Field[]): Written | undefined {
  const members = membersOf(text)
  if (!members) return undefined
  const written: Record<Field, string> = { ...NOTHING }
  for (const [name, value] of members) {
    const field = fieldOf(name, fields)
    if (field === undefined || value === null) continue
    if (typeof value !== 'string') return undefined
    written[field] = wellFormed(value)
  }
  return written
}

function fieldOf(name: string, fields: readonly Field[]): Field | undefined {
  return fields.find((field) => field === name) ?? fields.find((field) => field === foldName(name))
}
