/**
 * Reads JSON objects as Go's decoder reads them into a struct, like both original Philote servers: names of fields are
 * case-insensitive, the last of several values of a field counts, and null counts as absent.
 */
import { endOfString } from '../protocol/json.ts'

/** A member with its name as written. */
export type Member = readonly [name: string, value: unknown]

/** No Philote client sends more, and reading all of them would block the event loop. */
const MAX_MEMBERS = 1_000

/**
 * Returns the members of a JSON object in order, including duplicates. Undefined if the text is not a JSON object, or
 * has more than a thousand members.
 */
export function membersOf(text: string): readonly Member[] | undefined {
  const value = parse(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const count = countMembers(text)
  if (count > MAX_MEMBERS) return undefined
  const members = Object.entries(value)
  // `JSON.parse` keeps one value per name, and moves numeric names to the front.
  return count === members.length ? members : writtenMembersOf(text)
}

/** Returns the members of a JSON object, each with its value as text. The text has to be a valid JSON object. */
export function memberTextsOf(text: string): readonly (readonly [name: string, text: string])[] {
  const members: (readonly [string, string])[] = []
  eachMember(text, (nameStart, nameEnd, end) => {
    const name = JSON.parse(text.slice(nameStart, nameEnd + 1)) as string
    members.push([name, text.slice(text.indexOf(':', nameEnd) + 1, end).trim()])
  })
  return members
}

/** Folds a name like Go, for comparison. Go considers two letters outside ASCII equal to ASCII letters. */
export const foldName = (name: string): string => name.toLowerCase().replaceAll('ſ', 's')

/** Reads a value of one type from JSON; undefined if it has another type. */
export type ReadField = (json: string) => string | readonly string[] | boolean | number | undefined
/** The known fields of an object, by name in lower case. */
export type Fields = ReadonlyMap<string, ReadField>

/** Reads a JSON object, with `empty` as defaults. Undefined if it is not a JSON object, or a field has another type. */
export function readStruct<Struct extends object>(
  text: string,
  fields: Fields,
  empty: Struct,
): Struct | undefined {
  if (!membersOf(text)) return undefined
  const struct = Object.fromEntries<unknown>(Object.entries(empty))
  for (const [name, json] of memberTextsOf(text)) {
    const field = foldName(name)
    const read = fields.get(field)
    if (!read || json === 'null') continue
    const value = read(json)
    if (value === undefined) return undefined
    struct[field] = value
  }
  return struct as Struct
}

export const asText: ReadField = (json) =>
  json.startsWith('"') ? (JSON.parse(json) as string) : undefined

export const asTexts: ReadField = (json) => {
  const list: unknown = JSON.parse(json)
  if (!Array.isArray(list)) return undefined
  const texts = list.map((element: unknown) => element ?? '')
  return texts.every((text) => typeof text === 'string') ? texts.map(wellFormed) : undefined
}

export const asBoolean: ReadField = (json) =>
  json === 'true' ? true : json === 'false' ? false : undefined

/** Accepts only digits: to Go, 1e3 is a number but not an integer. */
export const asInteger: ReadField = (json) => (/^-?\d{1,18}$/.test(json) ? Number(json) : undefined)

/** Replaces lone surrogates, as Go does. */
export const wellFormed = (text: string): string => text.replace(LONE_SURROGATES, '\uFFFD')
const LONE_SURROGATES = /\p{Surrogate}/gu

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const writtenMembersOf = (text: string): Member[] =>
  memberTextsOf(text).map(([name, value]) => [name, JSON.parse(value)])

/** Counts up to one more than `MAX_MEMBERS`. */
function countMembers(text: string): number {
  let count = 0
  eachMember(text, () => count++)
  return count
}

/**
 * Calls `visit` with the positions of the quotes around each name, and of the end of the value. Stops after the first
 * member above the limit.
 */
function eachMember(
  text: string,
  visit: (nameStart: number, nameEnd: number, end: number) => void,
): void {
  let at = text.indexOf('"')
  for (let count = 0; at >= 0 && count <= MAX_MEMBERS; count++) {
    const nameEnd = endOfString(text, at)
    const end = endOfValue(text, text.indexOf(':', nameEnd) + 1)
    visit(at, nameEnd, end)
    at = text.indexOf('"', end)
  }
}

/** Finds the end of a value in valid JSON. Skips whole strings, because most of a message is usually one string. */
function endOfValue(text: string, start: number): number {
  const mark = /["[\]{},]/g
  mark.lastIndex = start
  let depth = 0
  for (let found = mark.exec(text); found; found = mark.exec(text)) {
    const { index } = found
    if (text[index] === '"') mark.lastIndex = endOfString(text, index) + 1
    else if (text[index] === '{' || text[index] === '[') depth++
    else if (depth === 0)
      return index // a comma, or the brace that closes the object
    else if (text[index] !== ',') depth--
  }
  return text.length
}
