import { TooManyExactNumbers } from './exact-numbers.ts'
import { PROTOTYPE_KEY, endOfString } from './json.ts'
import type { Parse } from './exact-numbers.ts'

/** Characters of JSON that are parsed at once. Parsing them takes a millisecond or two, whatever the JSON is. */
const PIECE = 32_768

const [QUOTE, COMMA] = [0x22, 0x2c]
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d]

/**
 * Parses this text with `parse`, and yields after each piece: parsing a megabyte of distinct keys at once would block
 * the event loop for too long. Throws the same errors as `parse`, but the text of a `SyntaxError` may differ.
 */
export function* parseInPieces(
  text: string,
  parse: Parse = JSON.parse,
  piece = PIECE,
): Generator<undefined, unknown> {
  const start = text.search(/[^ \t\r\n]/)
  const ends = endsOfLong(text, piece)
  const end = ends.get(start)
  if (end === undefined) return parse(text)
  const value = yield* longContainer(text, start, { ends, parse, piece })
  expectNothing(text, end + 1, text.length)
  return value
}

/**
 * Returns the end of each list and object that is longer than a piece, by its start. Throws if brackets do not match;
 * without this check, all of the text would be parsed before the mismatch is found.
 */
function endsOfLong(text: string, piece: number): ReadonlyMap<number, number> {
  const ends = new Map<number, number>()
  const open: number[] = []
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit === QUOTE) at = endOfString(text, at)
    else if (unit === OPEN_LIST || unit === OPEN_OBJECT) open.push(at)
    else if (unit === CLOSE_LIST || unit === CLOSE_OBJECT) {
      const start = open.pop()
      if (start === undefined || unit - text.charCodeAt(start) !== CLOSE_LIST - OPEN_LIST)
        throw unexpected(text, at)
      if (at - start > piece) ends.set(start, at)
    }
  }
  if (open.length > 0) throw new SyntaxError('Unexpected end of JSON input')
  return ends
}

function* longContainer(
  text: string,
  start: number,
  long: {
    readonly ends: ReadonlyMap<number, number>
    readonly parse: Parse
    readonly piece: number
  },
): Generator<undefined, unknown> {
  const { ends, parse, piece } = long
  const end = ends.get(start) as number
  const container = text.charCodeAt(start) === OPEN_LIST ? newList(parse) : newObject(parse)
  /** Where the unread text begins, and where the member that contains `at` begins. */
  let [unread, member] = [start + 1, start + 1]
  let depth = 0
  for (let at = unread; at < end; at++) {
    const unit = text.charCodeAt(at)
    if (unit === QUOTE) at = endOfString(text, at)
    else if (unit === CLOSE_LIST || unit === CLOSE_OBJECT) depth--
    else if (unit === COMMA && depth === 0) {
      if (at - unread > piece) {
        container.read(text, unread, at)
        unread = at + 1
        yield
      }
      member = at + 1
    } else if (depth === 0 && ends.has(at)) {
      if (member > unread) container.read(text, unread, member - 1)
      container.add(text.slice(member, at), yield* longContainer(text, at, long))
      at = endOfMember(text, (ends.get(at) as number) + 1, end)
      unread = member = at + 1
      yield
    } else if (unit === OPEN_LIST || unit === OPEN_OBJECT) depth++
  }
  // There must be a member after the last comma. After a long last member there is no comma.
  if (unread <= end) container.read(text, unread, end)
  return container.value
}

/** Returns where a member ends whose value has been read: at a comma, or at the end of its container. */
function endOfMember(text: string, from: number, end: number): number {
  const comma = text.indexOf(',', from)
  const at = comma < 0 || comma > end ? end : comma
  expectNothing(text, from, at)
  return at
}

interface Container {
  readonly value: unknown
  /** Reads members. The range excludes the commas before and after them. */
  read(text: string, from: number, to: number): void
  /** Adds a member that has been read. `head` is the text before its value: the key in an object, nothing in a list. */
  add(head: string, value: unknown): void
}

function newList(parse: Parse): Container {
  const list: unknown[] = []
  return {
    value: list,
    read(text, from, to) {
      for (const element of parsePiece(parse, '[]', text, [from, to]) as unknown[])
        list.push(element)
    },
    add(head, value) {
      expectNothing(head, 0, head.length)
      list.push(value)
    },
  }
}

function newObject(parse: Parse): Container {
  const object: Record<string, unknown> = {}
  const set = (key: string, value: unknown): void => {
    if (key === PROTOTYPE_KEY) Object.defineProperty(object, key, { value, ...PLAIN })
    else object[key] = value
  }
  return {
    value: object,
    read(text, from, to) {
      const members = parsePiece(parse, '{}', text, [from, to]) as Record<string, unknown>
      for (const key of Object.keys(members)) set(key, members[key])
    },
    add(head, value) {
      for (const key of Object.keys(JSON.parse(`{${head}null}`) as object)) set(key, value)
    },
  }
}

/** For own properties of any name, as `JSON.parse` makes them. */
const PLAIN = { configurable: true, enumerable: true, writable: true }

/** Parses members of a container. `brackets` are those of the container. */
function parsePiece(
  parse: Parse,
  brackets: '[]' | '{}',
  text: string,
  [from, to]: readonly [number, number],
): unknown {
  const members = text.slice(from, to)
  const isAll = text.charCodeAt(from - 1) !== COMMA && text.charCodeAt(to) !== COMMA
  if (!isAll && members.trim() === '') throw unexpected(text, to)
  try {
    return parse(brackets[0] + members + brackets[1])
  } catch (error) {
    if (error instanceof TooManyExactNumbers) throw new TooManyExactNumbers(error.at + from - 1)
    const { message } = error as SyntaxError
    const inText = (_: string, at: string): string => `at position ${Number(at) + from - 1}`
    throw new SyntaxError(message.replace(/at position (\d+).*/, inText), { cause: error })
  }
}

function expectNothing(text: string, from: number, to: number): void {
  for (let at = from; at < to; at++)
    if (!' \t\r\n'.includes(text.charAt(at))) throw unexpected(text, at)
}

const unexpected = (text: string, at: number): SyntaxError =>
  new SyntaxError(`Unexpected token '${text.charAt(at)}' at position ${at}`)
