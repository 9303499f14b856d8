/** Shows the limits of the running server in the description of the API. */
import { LIMITED_BY } from '../../protocol/limited-by.ts'
import type { LimitingSetting } from '../../protocol/limited-by.ts'
import type { Schema } from './types.ts'

export type DescribedLimits = Readonly<Record<LimitingSetting, number>>

const KEYWORDS: Readonly<Record<string, string>> = {
  array: 'maxItems',
  object: 'maxProperties',
  integer: 'maximum',
}

/** Returns the schema with the value of the setting that limits it. */
export function withLimit(schema: Schema, limits: DescribedLimits): Schema {
  const setting = schema[LIMITED_BY]
  const keyword = KEYWORDS[String(schema['type'])]
  if (setting === undefined || keyword === undefined) return schema
  return { ...schema, [keyword]: limits[setting as LimitingSetting] }
}
