/**
 * Objects of JSON as Go's decoder reads them into a struct, which is how both Philote servers read what they get: names
 * count in any letter case, of a field given twice the last one counts, null counts as absent.
 */
import { endOfString } from '../protocol/json.ts'

/** A member as it was written. */
export type Member = readonly [name: string, value: unknown]

/** More is nothing that a client of Philote sends, and looking through all of it would hold up everybody else. */
const MAX_MEMBERS = 1_000

/**
 * The members of the object that `text` spells, in order, doubles included. Undefined: it is no JSON, no object, or one of
 * more than a thousand members.
 */
export function membersOf(text: string): readonly Member[] | undefined {
  const value = parse(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const count = countMembers(text)
  if (count > MAX_MEMBERS) return undefined
  const members = Object.entries(value)
  // `JSON.parse` keeps one of each name, and puts names that are numbers first.
  return count === members.length ? members : writtenMembersOf(text)
}

/** The members of an object in JSON, each with its value as text. `text` has to spell an object. */
export function memberTextsOf(text: string): readonly (readonly [name: string, text: string])[] {
  const members: (readonly [string, string])[] = []
  eachMember(text, (nameStart, nameEnd, end) => {
    const name = JSON.parse(text.slice(nameStart, nameEnd + 1)) as string
    members.push([name, text.slice(text.indexOf(':', nameEnd) + 1, end).trim()])
  })
  return members
}

/** Whether two names are the same to Go, which knows two letters outside ASCII that are letters of ASCII to it. */
export const foldName = (name: string): string => name.toLowerCase().replaceAll('ſ', 's')

/** Reads a value of one type from its JSON; undefined if it is of another. */
export type ReadField = (json: string) => string | readonly string[] | boolean | number | undefined
/** What is known of an object, by names in lower case. */
export type Fields = ReadonlyMap<string, ReadField>

/** The object that `text` spells, laid over `empty`. Undefined: no JSON, no object, or a field of another type. */
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

/** Whole numbers only, and only as digits: 1e3 is a number, but no integer to Go. */
export const asInteger: ReadField = (json) => (/^-?\d{1,18}$/.test(json) ? Number(json) : undefined)

/** Without halves of surrogate pairs, which are no text: Go replaces them as well. */
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

/** At most one more than `MAX_MEMBERS`. */
function countMembers(text: string): number {
  let count = 0
  eachMember(text, () => count++)
  return count
}

/**
 * Tells where the name of each member begins and ends (its quotes), and where its value ends. Stops behind the first that
 * is too many.
 */
function eachMember(
  text: string,
  tell: (nameStart: number, nameEnd: number, end: number) => void,
): void {
  let at = text.indexOf('"')
  for (let count = 0; at >= 0 && count <= MAX_MEMBERS; count++) {
    const nameEnd = endOfString(text, at)
    const end = endOfValue(text, text.indexOf(':', nameEnd) + 1)
    tell(at, nameEnd, end)
    at = text.indexOf('"', end)
  }
}

/** In valid JSON. Strings are stepped over at once, since the longest part of a message is one. */
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
