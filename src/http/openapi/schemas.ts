/** The schemas of the description: only used ones, with plain names, and open where the server may add fields. */
import type { OpenApi, Schema } from './types.ts'

/** Schemas of requests have this after their name, because a schema may be collected as that of an answer, too. */
const INPUT = 'Input'
const PREFIX = '#/components/schemas/'
const REFERENCE = /"#\/components\/schemas\/([^"]+)"/g

type Schemas = OpenApi['components']['schemas']

/** Returns the value with `change` applied to each object in it, from the inside out. */
export function mapObjects(value: unknown, change: (object: Schema) => Schema): unknown {
  if (Array.isArray(value)) return value.map((each) => mapObjects(each, change))
  if (typeof value !== 'object' || value === null) return value
  const copy: Record<string, unknown> = {}
  for (const [key, inner] of Object.entries(value)) copy[key] = mapObjects(inner, change)
  return change(copy)
}

/**
 * Returns the schema of an answer without `additionalProperties: false`: the server may add fields to its answers, and
 * programs that were generated before that must not refuse them.
 */
export const opened = (schema: unknown): unknown =>
  mapObjects(schema, (object) => {
    if (object['additionalProperties'] !== false) return object
    const others = { ...object }
    delete others['additionalProperties']
    return others
  })

export const isOfRequest = (name: string): boolean => name.endsWith(INPUT)

/** Each schema is collected in two forms, as input and as output. Most schemas need only one of them. */
export function usedSchemas(schemas: Schemas, users: readonly object[]): Schemas {
  const used = new Set<string>()
  const pending = namesIn(users)
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (used.has(name)) continue
    used.add(name)
    pending.push(...namesIn(schemas[name] ?? {}))
  }
  return Object.fromEntries(Object.entries(schemas).filter(([name]) => used.has(name)))
}

const namesIn = (value: object): string[] =>
  [...JSON.stringify(value).matchAll(REFERENCE)].map(([, name = '']) => name)

/** Gives the schemas of requests their plain names, unless the schema of an answer has it. */
export class PlainNames {
  readonly #names: ReadonlyMap<string, string>

  constructor(schemas: Schemas) {
    const plain = Object.keys(schemas)
      .filter(isOfRequest)
      .map((name) => [name, name.slice(0, -INPUT.length)] as const)
    this.#names = new Map(plain.filter(([, name]) => !(name in schemas)))
  }

  of(name: string): string {
    return this.#names.get(name) ?? name
  }

  /** Returns an object of the document, with the plain name if it is a reference. */
  inReference(object: Schema): Schema {
    const { $ref } = object
    if (typeof $ref !== 'string' || !$ref.startsWith(PREFIX)) return object
    return { ...object, $ref: PREFIX + this.of($ref.slice(PREFIX.length)) }
  }
}
