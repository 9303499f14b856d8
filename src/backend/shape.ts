/**
 * Checks the form of JSON values without zod, which is forty times as large as the rest of this library. The compiler
 * compares each shape with the type that it is for.
 */
import { isJsonObject } from '../protocol/json-object.ts'

export interface Fault {
  readonly path: readonly string[]
  readonly text: string
}

/** Accepts at least each `Value`. */
export interface Shape<in Value> {
  /** Returns a fault of the value. Undefined if it has none. */
  readonly check: (value: unknown) => Fault | undefined
  /** Makes the value of a missing key. Without it, the key is required. */
  readonly fallback?: () => unknown
  /** Never set. Tells the compiler what `Value` is. */
  readonly accepts?: (value: Value) => void
}

type Check = Shape<never>['check']

const shapeOf = <Value>(what: string, isValid: (value: unknown) => boolean): Shape<Value> => ({
  check: (value) => (isValid(value) ? undefined : { path: [], text: `not ${what}` }),
})

export const text = shapeOf<string>('a string', (value) => typeof value === 'string')
export const bool = shapeOf<boolean>('a boolean', (value) => typeof value === 'boolean')
export const number = shapeOf<number>('a number', Number.isFinite)
export const anything = shapeOf<unknown>('a value', () => true)
export const payload = shapeOf<object>('an object', isJsonObject)
export const scalar = shapeOf<string | number | boolean | null>(
  'a scalar',
  (value) => value === null || typeof value !== 'object',
)

export const literal = <Value>(only: Value): Shape<Value> =>
  shapeOf(JSON.stringify(only), (value) => value === only)

export const nullable = <Value>({ check }: Shape<Value>): Shape<Value | null> => ({
  check: (value) => (value === null ? undefined : check(value)),
})

/** The key may be missing. */
export const optional = <Value>({ check }: Shape<Value>): Shape<Value | undefined> => ({
  check,
  fallback: () => undefined,
})

/** If the key is missing, it gets this value. */
export const withDefault = <Value>(
  { check }: Shape<Value>,
  fallback: () => NoInfer<Value>,
): Shape<Value> => ({
  check,
  fallback,
})

export const list = <Value>({ check }: Shape<Value>): Shape<readonly Value[]> => ({
  check: (value) =>
    Array.isArray(value) ? firstFault(value, () => check) : { path: [], text: 'not a list' },
})

export const map = <Value>({ check }: Shape<Value>): Shape<Readonly<Record<string, Value>>> => ({
  check: (value) =>
    isJsonObject(value) ? firstFault(value, () => check) : { path: [], text: 'not an object' },
})

type Fields<Value> = {
  readonly [Key in keyof Value as string extends Key ? never : Key]-?: Shape<Value[Key]>
}

/** An object with these keys. Others are allowed: a newer server may add some. Adds keys that have a default. */
export const object = <Value>(fields: Fields<Value>): Shape<Value> => {
  const shapes = new Map<string, Shape<never>>(Object.entries(fields))
  return {
    check(value) {
      if (!isJsonObject(value)) return { path: [], text: 'not an object' }
      for (const [key, { fallback }] of shapes) {
        if (Object.hasOwn(value, key)) continue
        if (!fallback) return { path: [key], text: 'missing' }
        const made = fallback()
        if (made !== undefined) value[key] = made
      }
      return firstFault(value, (key) => shapes.get(key)?.check)
    },
  }
}

/** Returns the first fault of a value in a list or an object. */
function firstFault(
  container: Readonly<Record<string, unknown>> | readonly unknown[],
  checkOf: (key: string) => Check | undefined,
): Fault | undefined {
  for (const [key, value] of Object.entries(container)) {
    const fault = checkOf(key)?.(value)
    if (fault) return { path: [key, ...fault.path], text: fault.text }
  }
  return undefined
}
