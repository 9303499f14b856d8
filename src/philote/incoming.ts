/** Reads messages from clients, and from other publishers on Redis. */
import { foldName, membersOf, wellFormed } from './go-json.ts'

/** The fields of a message. A missing field is empty, and empty fields are not written. */
export interface PhiloteMessage {
  readonly id: string
  readonly issuer: string
  readonly channel: string
  readonly data: string
  readonly event: string
}

export type Field = keyof PhiloteMessage

/** The fields of the JWT generation. The server sets `issuer`, but a client's `issuer` has to be a string. */
export const JWT_FIELDS: readonly Field[] = ['issuer', 'channel', 'data']
export const REDIS_FIELDS: readonly Field[] = ['id', 'issuer', 'channel', 'data', 'event']

const NOTHING: PhiloteMessage = { id: '', issuer: '', channel: '', data: '', event: '' }

/** Returns undefined if the text is not a JSON object, or a field is not a string. Ignores other members. */
export function readMessage(text: string, fields: readonly Field[]): PhiloteMessage | undefined {
  const members = membersOf(text)
  if (!members) return undefined
  const message: Record<Field, string> = { ...NOTHING }
  for (const [name, value] of members) {
    const field = fieldOf(name, fields)
    if (field === undefined || value === null) continue
    if (typeof value !== 'string') return undefined
    message[field] = wellFormed(value)
  }
  return message
}

function fieldOf(name: string, fields: readonly Field[]): Field | undefined {
  return fields.find((field) => field === name) ?? fields.find((field) => field === foldName(name))
}
