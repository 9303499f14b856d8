import { expect } from 'vitest'

const UUID_4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** The issuer ids of clients, by their names in the case. Each client keeps its id, and no other has the same. */
export type Issuers = Map<string, string>

type Pattern = Readonly<Record<string, unknown>>
type Special = (pattern: Pattern, actual: unknown, where: string, issuers: Issuers) => void

const SPECIALS: Readonly<Record<string, Special>> = {
  $id(pattern, actual, where, issuers) {
    const name = String(pattern['$id'])
    expect(actual, where).toMatch(UUID_4)
    if (!issuers.has(name)) {
      expect([...issuers.values()], `${where}: nobody else's id`).not.toContain(actual)
      issuers.set(name, String(actual))
    }
    expect(actual, `${where}: the id of ${name}`).toBe(issuers.get(name))
  },
  $re: ({ $re }, actual, where) => expect(actual, where).toMatch(new RegExp(String($re), 's')),
  $contains: ({ $contains }, actual, where) => expect(actual, where).toContain($contains),
  $type({ $type, $min }, actual, where) {
    const type = actual === null ? 'null' : Array.isArray(actual) ? 'array' : typeof actual
    expect(type, where).toBe($type)
    if ($min !== undefined) expect(actual, where).toBeGreaterThanOrEqual(Number($min))
  },
  $oneOf: ({ $oneOf }, actual, where) => expect($oneOf, where).toContainEqual(actual),
}

/** Fails unless a value matches a pattern. Objects must have the keys of the pattern, in the same order. */
export function match(pattern: unknown, actual: unknown, where: string, issuers: Issuers): void {
  if (!isObject(pattern)) {
    expect(actual, where).toEqual(pattern)
    return
  }
  const [special] = Object.keys(pattern).filter((key) => key in SPECIALS)
  if (special !== undefined) {
    SPECIALS[special]?.(pattern, actual, where, issuers)
    return
  }
  const { $anyOrder, ...wanted } = pattern
  const order = (keys: string[]): string[] => ($anyOrder === true ? keys.sort() : keys)
  expect(isObject(actual) && order(Object.keys(actual)), where).toEqual(order(Object.keys(wanted)))
  for (const [key, inner] of Object.entries(wanted))
    match(inner, (actual as Pattern)[key], `${where}.${key}`, issuers)
}

/** Whether a value matches. If not, no issuers are recorded. */
export function matches(pattern: unknown, actual: unknown, issuers: Issuers): boolean {
  const before = [...issuers]
  try {
    match(pattern, actual, '', issuers)
    return true
  } catch {
    issuers.clear()
    for (const [name, issuer] of before) issuers.set(name, issuer)
    return false
  }
}

const isObject = (value: unknown): value is Pattern =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
