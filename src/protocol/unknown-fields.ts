import { z } from 'zod'

/** What happens to fields that a schema does not name. */
export type UnknownFields = 'refuse' | 'ignore'

/**
 * Returns a schema that ignores unknown fields, on every level, where `schema` refuses them. Objects that pass on
 * unknown fields, such as messages, still do. The rest of the schema, and what it returns, does not change.
 */
export function ignoringUnknownFields<Schema extends z.core.$ZodType>(schema: Schema): Schema {
  const def = schema._zod.def as Def
  const changes = def.type === 'object' ? objectChanges(def) : containerChanges(def)
  return changes ? z.core.clone(schema, z.core.util.mergeDefs(def, changes) as never) : schema
}

type Def = z.core.$ZodTypeDef & { readonly [Part in (typeof PARTS)[number]]?: z.core.$ZodType } & {
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>
  readonly catchall?: z.core.$ZodType
  readonly options?: readonly z.core.$ZodType[]
}

/** Where the definitions of wrappers, lists, maps and pipes keep the schemas inside them. */
const PARTS = ['innerType', 'in', 'out', 'element', 'valueType'] as const

function objectChanges({ shape = {}, catchall }: Def) {
  const fields = Object.entries(shape).map(([name, field]) => [name, ignoringUnknownFields(field)])
  const isStrict = catchall?._zod.def.type === 'never'
  return { shape: Object.fromEntries(fields) as object, ...(isStrict && { catchall: undefined }) }
}

/** Undefined if there is no schema inside. */
function containerChanges(def: Def): object | undefined {
  const changes = PARTS.flatMap((part) => {
    const inner = def[part]
    return inner ? [[part, ignoringUnknownFields(inner)] as const] : []
  })
  const options = def.options?.map(ignoringUnknownFields)
  if (changes.length === 0 && !options) return undefined
  return { ...Object.fromEntries(changes), ...(options && { options }) }
}
