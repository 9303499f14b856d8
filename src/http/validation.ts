import { complaintsOf } from '../protocol/complaints.ts'
import { invalid } from '../protocol/errors.ts'
import type { FastifySchemaCompiler } from 'fastify'
import type { z } from 'zod'

/** What `value` is by `schema`. Throws `INVALID` (422) with every fault, by field. */
export function parseAs<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): z.output<Schema> {
  const result = schema.safeParse(value)
  if (!result.success) throw invalid(complaintsOf(schema, result.error.issues))
  return result.data
}

/** Lets Fastify check bodies with the schemas of routes. An empty body is null. */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> =
  ({ schema }) =>
  (value) => {
    const result = schema.safeParse(value)
    return result.success
      ? { value: result.data }
      : { error: invalid(complaintsOf(schema, result.error.issues)) }
  }
