import { isName, type Bindings } from './bindings.ts'
import type { Json, JsonObject } from './scenario.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?$/

/** Maps keyed by names, and payloads. An additional key there is a mismatch. */
const EXACT = new Set(['channels', 'state', 'public_state', 'user_state', 'message'])

export class Mismatch extends Error {
  override readonly name = 'Mismatch'
  constructor(
    /** The path in the answer, as in `.body.channels[0]`. `{0}` is an element in any order. */
    readonly where: string,
    readonly seen: { readonly expected: unknown; readonly actual: unknown },
    readonly note = '',
  ) {
    super(`${where}: expected ${show(seen.expected)}, got ${show(seen.actual)}`)
  }
}

export interface Place {
  readonly where: string
  readonly bindings: Bindings
  /** Set for the body of a 422, which must have no additional keys. */
  readonly exactBody?: boolean
}

type Test = (actual: unknown) => boolean

const isString: Test = (actual) => typeof actual === 'string'
const isUuid: Test = (actual) => typeof actual === 'string' && UUID.test(actual)
const isTimestamp: Test = (actual) => typeof actual === 'string' && TIMESTAMP.test(actual)

const ANY_TIMESTAMP = 'a timestamp with microseconds and no zone'

/** Kinds of values, each with its description for failures. */
const KINDS = new Map<string, readonly [Test, string]>([
  ['@any', [(actual) => actual !== undefined, 'anything']],
  ['@absent', [(actual) => actual === undefined, 'nothing']],
  ['@string', [isString, 'a string']],
  ['@int', [Number.isInteger, 'an integer']],
  ['@uuid', [isUuid, 'a lower-case UUID']],
  ['@ts', [isTimestamp, ANY_TIMESTAMP]],
  ['@now', [isNow, `${ANY_TIMESTAMP}, within a minute of now, in UTC`]],
])

function isNow(actual: unknown): boolean {
  return isTimestamp(actual) && Math.abs(Date.parse(`${String(actual)}Z`) - Date.now()) <= 60_000
}

/** Throws the first `Mismatch`. Binds names on their first use. */
export function match(expected: Json, actual: unknown, place: Place): void {
  if (typeof expected === 'string') matchString(expected, actual, place)
  else if (Array.isArray(expected)) matchList(expected, actual, place)
  else if (isObject(expected)) {
    const [key, ...others] = Object.keys(expected)
    if (key?.startsWith('@') && !others.length) {
      matchOperator(key, { argument: expected[key] as Json, actual }, place)
    } else matchObject(expected, actual, place)
  } else if (expected !== actual) throw new Mismatch(place.where, { expected, actual })
}

function matchString(expected: string, actual: unknown, place: Place): void {
  if (isName(expected)) return matchName(expected, actual, place)
  const kind = KINDS.get(expected)
  if (kind === undefined) {
    if (actual !== expected) throw new Mismatch(place.where, { expected, actual })
  } else if (!kind[0](actual)) throw new Mismatch(place.where, { expected: kind[1], actual })
}

function matchName(name: string, actual: unknown, { where, bindings }: Place): void {
  const bound = bindings.get(name)
  if (bound !== undefined) {
    if (bound !== actual) throw new Mismatch(where, { expected: `${name} = ${bound}`, actual })
    return
  }
  const isId = !/^\$(ts|str)/.test(name)
  const [test, kind] = isId ? [isUuid, 'a lower-case UUID'] : kindOfName(name)
  if (!test(actual)) throw new Mismatch(where, { expected: `${name}, ${kind}`, actual })
  const value = actual as string
  const other = isId ? bindings.nameOf(value) : undefined
  if (other !== undefined) {
    const expected = `${name}, a UUID not seen before`
    throw new Mismatch(where, { expected, actual }, `the same UUID as ${other}`)
  }
  bindings.bind(name, value)
}

function kindOfName(name: string): readonly [Test, string] {
  return name.startsWith('$ts') ? [isTimestamp, ANY_TIMESTAMP] : [isString, 'a string']
}

function matchList(expected: readonly Json[], actual: unknown, place: Place): void {
  if (!Array.isArray(actual)) throw new Mismatch(place.where, { expected, actual }, 'not a list')
  const shared = Math.min(expected.length, actual.length)
  for (let i = 0; i < shared; i++) match(expected[i] as Json, actual[i], inside(place, `[${i}]`))
  if (expected.length !== actual.length) {
    throw new Mismatch(
      `${place.where}[${shared}]`,
      { expected: expected[shared], actual: actual[shared] },
      `list of ${actual.length} instead of ${expected.length}`,
    )
  }
}

function matchObject(expected: JsonObject, actual: unknown, place: Place): void {
  if (!isObject(actual)) throw new Mismatch(place.where, { expected, actual }, 'not an object')
  for (const [key, value] of Object.entries(expected)) {
    const inner = inside(place, `.${key}`)
    if (Object.hasOwn(actual, key)) match(value, actual[key], inner)
    else if (value !== '@absent') {
      throw new Mismatch(inner.where, { expected: value, actual: undefined }, 'missing key')
    }
  }
  if (!allowsMore(place)) refuseMore(expected, actual, place)
}

function allowsMore({ where, exactBody }: Place): boolean {
  const key = /\.(\w+)$/.exec(where)?.[1] ?? ''
  return !EXACT.has(key) && !(exactBody && where.startsWith('.body'))
}

function refuseMore(expected: JsonObject, actual: Record<string, unknown>, place: Place): void {
  const extra = Object.keys(actual).find((key) => !Object.hasOwn(expected, key))
  if (extra === undefined) return
  throw new Mismatch(
    `${place.where}.${extra}`,
    { expected: undefined, actual: actual[extra] },
    'unexpected key',
  )
}

interface Operands {
  readonly argument: Json
  readonly actual: unknown
}

type Operator = (operands: Operands, place: Place) => void

const OPERATORS: Readonly<Record<string, Operator>> = {
  '@set': matchSet,
  '@oneOf': ({ argument, actual }, place) => {
    const fits = (argument as Json[]).some((one) => attempt(one, actual, place) === undefined)
    if (!fits) throw new Mismatch(place.where, { expected: { '@oneOf': argument }, actual })
  },
  '@all': ({ argument, actual }, place) => {
    for (const one of argument as Json[]) match(one, actual, place)
  },
  '@not': ({ argument, actual }, place) => {
    const forget = place.bindings.mark()
    const mismatch = attempt(argument, actual, place)
    forget()
    if (!mismatch) throw new Mismatch(place.where, { expected: { '@not': argument }, actual })
  },
  '@match': ({ argument, actual }, { where }) => {
    const pattern = argument as string
    if (typeof actual === 'string' && new RegExp(pattern, 's').test(actual)) return
    throw new Mismatch(where, { expected: `text matching /${pattern}/`, actual })
  },
  '@from': ({ argument, actual }, { where }) => {
    const [low, high] = argument as [number, number]
    if (typeof actual === 'number' && actual >= low && actual <= high) return
    throw new Mismatch(where, { expected: `a number from ${low} to ${high}`, actual })
  },
  '@repeat': ({ argument, actual }, { where }) => {
    const [text, times] = argument as [string, number]
    if (actual === text.repeat(times)) return
    throw new Mismatch(where, { expected: `${JSON.stringify(text)} ${times} times`, actual })
  },
  '@some': ({ argument, actual }, place) => {
    if (!isObject(actual)) {
      throw new Mismatch(place.where, { expected: argument, actual }, 'not an object')
    }
    for (const [key, value] of Object.entries(argument as JsonObject)) {
      const inner = Object.hasOwn(actual, key) ? actual[key] : undefined
      match(value, inner, inside(place, `.${key}`))
    }
  },
}

function matchOperator(name: string, operands: Operands, place: Place): void {
  const operator = OPERATORS[name]
  if (!operator) throw new Error(`unknown matcher ${name} at ${place.where}`)
  operator(operands, place)
}

function matchSet({ argument, actual }: Operands, place: Place): void {
  const expected = argument as Json[]
  if (!Array.isArray(actual)) throw new Mismatch(place.where, { expected, actual }, 'not a list')
  if (actual.length !== expected.length) {
    const note = `${actual.length} elements instead of ${expected.length}, in any order`
    throw new Mismatch(place.where, { expected, actual }, note)
  }
  const nearest = pair(expected, actual, place)
  if (!nearest) return
  const near = `nearest: ${nearest.where}, ${show(nearest.seen.expected)} / ${show(nearest.seen.actual)}`
  throw new Mismatch(place.where, { expected, actual }, `no pairing in any order fits; ${near}`)
}

/**
 * Assigns each expected element to a different actual one. Returns undefined, or the deepest mismatch. Backtracks,
 * since a match may bind a name to a value that does not fit the next elements.
 */
function pair(expected: readonly Json[], actual: readonly unknown[], place: Place, index = 0) {
  let nearest: Mismatch | undefined
  if (index === expected.length) return nearest
  for (const [i, candidate] of actual.entries()) {
    const forget = place.bindings.mark()
    const mismatch: Mismatch | undefined =
      attempt(expected[index] as Json, candidate, inside(place, `{${index}}`)) ??
      pair(expected, actual.toSpliced(i, 1), place, index + 1)
    if (!mismatch) return undefined
    forget()
    if (!nearest || mismatch.where.length > nearest.where.length) nearest = mismatch
  }
  return nearest
}

/** Like `match`, but returns the mismatch. Keeps new bindings only if there is none. */
function attempt(expected: Json, actual: unknown, place: Place): Mismatch | undefined {
  const forget = place.bindings.mark()
  try {
    match(expected, actual, place)
    return undefined
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error
    forget()
    return error
  }
}

function inside(place: Place, step: string): Place {
  return { ...place, where: place.where + step }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function show(value: unknown, limit = 400): string {
  const text = value === undefined ? '(nothing)' : JSON.stringify(value)
  return text.length > limit ? `${text.slice(0, limit)}… (${text.length} characters)` : text
}
