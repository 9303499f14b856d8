/**
 * The kinds of fields in requests.
 *
 * What each field accepts and the text of each complaint are recorded behaviour of Channelstream 0.7.1, which
 * validates with marshmallow 3. Applications show these texts to people and compare them in tests.
 */
import { z } from 'zod'
import { asDouble, isExactNumber } from './exact-numbers.ts'
import { isJsonObject } from './json-object.ts'

export const COMPLAINT = {
  missing: 'Missing data for required field.',
  null: 'Field may not be null.',
  unknown: 'Unknown field.',
  type: 'Invalid input type.',
  string: 'Not a valid string.',
  list: 'Not a valid list.',
  mapping: 'Not a valid mapping type.',
  boolean: 'Not a valid boolean.',
  integer: 'Not a valid integer.',
  uuid: 'Not a valid UUID.',
  datetime: 'Not a valid datetime.',
  eventId: 'Not the id of an event.',
  unlisted: 'Not a listed channel.',
  scalar: 'Value is not type of string, integer, boolean or float.',
  unicode: 'Not valid Unicode.',
  length: (min: number, max: number) => `Length must be between ${min} and ${max}.`,
  atLeast: (min: number) => `Must be greater than or equal to ${min}.`,
  atMost: (max: number) => `Must be less than or equal to ${max}.`,
  shorter: (min: number) => `Shorter than minimum length ${min}.`,
  longer: (max: number) => `Longer than maximum length ${max}.`,
  more: 'There are more faults.',
} as const

/**
 * Maximum number of faults in one answer. A body can contain hundreds of thousands of faults, and reporting one costs
 * more than sending it.
 */
export const MAX_COMPLAINTS = 100

/** The complaint about a value of the wrong type: that it is missing, that it is null, or `otherwise`. */
export const typeComplaint =
  (otherwise: string) =>
  ({ input }: { input?: unknown }): string =>
    input === undefined ? COMPLAINT.missing : input === null ? COMPLAINT.null : otherwise

/** An object with these fields and no others. */
export const object = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject(shape, { error: typeComplaint(COMPLAINT.type) })

/**
 * Normalizes other spellings with `read`, then checks with `schema`. Types show the normalized form only: TypeScript
 * callers do not need the other spellings.
 */
export const normalized = <Schema extends z.ZodType>(
  read: (value: unknown) => unknown,
  schema: Schema,
): z.ZodPreprocess<Schema, z.input<Schema>> =>
  z.preprocess<unknown, Schema, z.input<Schema>>(read, schema)

/** A string of `min` to `max` Unicode code points. Lengths are counted as in Python, not in UTF-16 units. */
export const text = (min: number, max: number) =>
  z
    .string({ error: typeComplaint(COMPLAINT.string) })
    .refine((value) => hasLength(value, min, max), { error: COMPLAINT.length(min, max) })
    .meta({ minLength: min, maxLength: max })

/**
 * A name. Lone surrogates are rejected: they cannot be encoded in UTF-8, so two names that differ only in them would
 * become the same name in a store that keeps bytes.
 */
export const name = (min: number, max: number) =>
  text(min, max).refine(isUnicode, { error: COMPLAINT.unicode })
/** Node has `isWellFormed` since version 20, but TypeScript's types for ES2023 do not have it. */
export const isUnicode = (value: string): boolean =>
  (value as string & { isWellFormed(): boolean }).isWellFormed()

function hasLength(value: string, min: number, max: number): boolean {
  // A code point has one or two UTF-16 units, so for most texts their number decides.
  if (value.length < min || value.length > 2 * max) return false
  if (value.length >= 2 * min && value.length <= max) return true
  const codePoints = [...value].length
  return codePoints >= min && codePoints <= max
}

/**
 * A list of texts. Faults of an element are under its index. Checking stops after the last fault that is reported.
 * `element` must accept every text of 1 to 256 characters.
 */
export const listOf = <Element extends z.ZodType<string>>(element: Element, min = 0) =>
  normalized(
    (list) => (Array.isArray(list) ? listUpToFaults(list, isValid(element)) : list),
    z
      .array(element, { error: typeComplaint(COMPLAINT.list) })
      .min(min, { error: COMPLAINT.shorter(min) }),
  )

/** Whether an element is valid. Fast for nearly all valid elements. */
const isValid =
  (element: z.ZodType<string>) =>
  (value: unknown): boolean =>
    isShortText(value) || z.safeParse(element, value).success

const isShortText = (value: unknown): boolean =>
  typeof value === 'string' && value !== '' && value.length <= 256 && isUnicode(value)

/** An object used as a map. Faults are under the key, then `value`. Checking stops as in a list. */
export const mapOf = <Value extends z.ZodType>(
  value: Value,
  isPlausible: (value: unknown) => boolean,
) =>
  normalized(
    (map) => (isJsonObject(map) ? mapUpToFaults(map, isPlausible) : map),
    z.record(z.string(), value, { error: typeComplaint(COMPLAINT.mapping) }),
  )

function listUpToFaults(
  list: readonly unknown[],
  isPlausible: (element: unknown) => boolean,
): readonly unknown[] {
  const end = endOfFaults(list, isPlausible)
  return end === list.length ? list : list.slice(0, end)
}

function mapUpToFaults(
  map: Readonly<Record<string, unknown>>,
  isPlausible: (value: unknown) => boolean,
): Readonly<Record<string, unknown>> {
  const values = Object.values(map)
  const end = endOfFaults(values, isPlausible)
  return end === values.length ? map : Object.fromEntries(Object.entries(map).slice(0, end))
}

/** Returns how many elements to check: all, or up to the first fault that is not reported any more. */
function endOfFaults(list: readonly unknown[], isPlausible: (element: unknown) => boolean): number {
  if (list.length <= MAX_COMPLAINTS) return list.length
  let faults = 0
  const last = list.findIndex((element) => !isPlausible(element) && ++faults > MAX_COMPLAINTS)
  return last < 0 ? list.length : last + 1
}

/** A JSON object that is passed on as it is. It is neither copied nor checked. */
export const payload = z
  .custom<Readonly<Record<string, unknown>>>(isJsonObject, {
    error: typeComplaint(COMPLAINT.mapping),
  })
  .meta({ type: 'object', additionalProperties: true })

/** A value of a user's state. Numbers that do not fit a double are accepted as `ExactNumber`s. */
export type Scalar = string | number | boolean | null
export const scalar = z
  .custom<Scalar>(isScalar, { error: COMPLAINT.scalar })
  .meta({ type: ['string', 'number', 'boolean', 'null'] })
export function isScalar(value: unknown): boolean {
  return value === null || SCALAR_TYPES.has(typeof value) || isExactNumber(value)
}
const SCALAR_TYPES = new Set(['string', 'number', 'boolean'])

/** A map of such values. It is not copied. Faults are reported as in `mapOf`, which takes ten times as long. */
export const scalarMap = z
  .custom<Readonly<Record<string, Scalar>>>(isJsonObject, {
    error: typeComplaint(COMPLAINT.mapping),
  })
  .superRefine((map: unknown, context) => {
    if (!isJsonObject(map)) return
    let faults = 0
    for (const key in map) {
      if (isScalar(map[key])) continue
      context.addIssue({ code: 'custom', path: [key, 'value'], message: COMPLAINT.scalar })
      if (++faults > MAX_COMPLAINTS) return
    }
  })
  .meta({
    type: 'object',
    propertyNames: { type: 'string' },
    additionalProperties: { type: ['string', 'number', 'boolean', 'null'] },
  })

/** True or false, in any spelling that Channelstream accepts: `true`, `"yes"`, `"on"`, `"t"`, `1`, … */
export const looseBoolean = normalized(
  (value) => LOOSE_BOOLEANS.get(asDouble(value)) ?? value,
  z.boolean({ error: typeComplaint(COMPLAINT.boolean) }),
)

const spellings = (words: readonly string[]): string[] =>
  words.flatMap((word) => [word, word[0]?.toUpperCase() + word.slice(1), word.toUpperCase()])

const LOOSE_BOOLEANS = new Map<unknown, boolean>([
  ...spellings(['t', 'true', 'on', 'y', 'yes', '1']).map((word) => [word, true] as const),
  ...spellings(['f', 'false', 'off', 'n', 'no', '0']).map((word) => [word, false] as const),
  [1, true],
  [0, false],
])

/** A whole number in a range. Accepts digits in a string, truncates fractions, and rejects booleans. */
export const looseInteger = (min: number, max?: number) => {
  const atLeast = z
    .int({ error: typeComplaint(COMPLAINT.integer) })
    .min(min, { error: COMPLAINT.atLeast(min) })
  return normalized(
    toInteger,
    max === undefined ? atLeast : atLeast.max(max, { error: COMPLAINT.atMost(max) }),
  )
}

function toInteger(given: unknown): unknown {
  const value = asDouble(given)
  if (typeof value === 'number') return Math.trunc(value)
  return typeof value === 'string' && /^\s*[+-]?\d+\s*$/.test(value) ? Number(value) : value
}

/** A UUID in any spelling that Python's `uuid.UUID` reads. The result is in lower case with dashes. */
export const uuid = normalized(
  (value) => (typeof value === 'string' ? (canonicalUuid(value) ?? value) : value),
  z
    .string({ error: typeComplaint(COMPLAINT.uuid) })
    .regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, { error: COMPLAINT.uuid })
    .meta({ format: 'uuid' }),
)

/** Returns the UUID in lower case with dashes, or undefined. Accepts braces, `urn:uuid:` and missing dashes. */
export function canonicalUuid(value: string): string | undefined {
  if (value.length === 36 && PLAIN_UUID.test(value)) return value
  if (value.length > MAX_UUID_SPELLING) return undefined
  const digits = value
    .replaceAll('urn:', '')
    .replaceAll('uuid:', '')
    .replace(/^[{}]+|[{}]+$/g, '')
    .replaceAll('-', '')
    .toLowerCase()
  if (!/^[0-9a-f]{32}$/.test(digits)) return undefined
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
const PLAIN_UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const MAX_UUID_SPELLING = 128

/**
 * The form of a date and time in descriptions of the API. The format `date-time` would require a zone. The calendar is
 * checked by `canonicalDatetime` only.
 */
export const DATETIME_PATTERN =
  '^[0-9]{4}-(0?[1-9]|1[0-2])-(0?[1-9]|[12][0-9]|3[01])[T ]([01]?[0-9]|2[0-3]):[0-5]?[0-9]' +
  '(:[0-5]?[0-9](\\.[0-9]{1,12})?)?(Z|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)?$'

/** An ISO 8601 date and time, converted to the form of Python's `isoformat()`. */
export const datetime = normalized(
  (value) => (typeof value === 'string' ? (canonicalDatetime(value) ?? value) : value),
  z
    .string({ error: typeComplaint(COMPLAINT.datetime) })
    .refine((value) => canonicalDatetime(value) === value, { error: COMPLAINT.datetime })
    .meta({ pattern: DATETIME_PATTERN }),
)

const ISO_DATETIME =
  /^(\d{4})-(\d{1,2})-(\d{1,2})[T ](\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,6})\d{0,6})?)?(Z|[+-]\d{2}(?::?\d{2})?)?$/

/**
 * Returns `YYYY-MM-DDTHH:MM:SS[.ffffff][±HH:MM]`, or undefined if `value` is not a valid date and time.
 * Source: recorded (message-timestamp-with-zone, edit-given-edited).
 */
export function canonicalDatetime(value: string): string | undefined {
  const match = ISO_DATETIME.exec(value)
  if (!match) return undefined
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1, 7)
    .map((digits) => Number(digits ?? 0))
  const zone = canonicalZone(match[8])
  if (zone === undefined || !isMoment(year, month, day) || hour > 23 || minute > 59 || second > 59)
    return undefined
  const micros = (match[7] ?? '').padEnd(6, '0')
  const fraction = micros === '000000' ? '' : `.${micros}`
  const two = (part: number): string => String(part).padStart(2, '0')
  return `${match[1]}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(second)}${fraction}${zone}`
}

function isMoment(year: number, month: number, day: number): boolean {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
  return year > 0 && days !== undefined && day >= 1 && day <= days
}

/** Returns '' without a zone, `±HH:MM` for a zone, and undefined for an offset of a day or more. */
function canonicalZone(zone: string | undefined): string | undefined {
  if (zone === undefined) return ''
  if (zone === 'Z') return '+00:00'
  const minutes = zone.length > 3 ? Number(zone.slice(-2)) : 0
  const total = Number(zone.slice(1, 3)) * 60 + minutes
  if (total >= 24 * 60) return undefined
  const two = (part: number): string => String(part).padStart(2, '0')
  const sign = total === 0 ? '+' : zone[0]
  return `${sign}${two(Math.floor(total / 60))}:${two(total % 60)}`
}
