import { z } from 'zod'
import { complaintsOf } from '../protocol/complaints.ts'
import { invalid } from '../protocol/errors.ts'
import { MAX_COMPLAINTS } from '../protocol/fields.ts'
import { ignoringUnknownFields } from '../protocol/unknown-fields.ts'
import type { FastifySchemaCompiler } from 'fastify'
import type { UnknownFields } from '../protocol/unknown-fields.ts'

type Result<Value> = { readonly value: Value } | { readonly error: Error }

function check<Schema extends z.ZodType>(schema: Schema, value: unknown): Result<z.output<Schema>> {
  if (schema instanceof z.ZodArray && Array.isArray(value)) {
    return checkEach(schema, value) as Result<z.output<Schema>>
  }
  const result = schema.safeParse(value)
  return result.success
    ? { value: result.data }
    : { error: invalid(complaintsOf(schema, result.error.issues)) }
}

/** Validates element by element, and stops at the first error beyond those that are reported. */
function checkEach(schema: z.ZodArray, list: readonly unknown[]): Result<unknown[]> {
  const issues: z.core.$ZodIssue[] = []
  const values: unknown[] = []
  for (let index = 0; index < list.length && issues.length <= MAX_COMPLAINTS; index++) {
    const result = z.safeParse(schema.element, list[index])
    if (result.success) values.push(result.data)
    else
      for (const issue of result.error.issues)
        issues.push({ ...issue, path: [index, ...issue.path] })
  }
  return issues.length === 0 ? { value: values } : { error: invalid(complaintsOf(schema, issues)) }
}

/** Returns `value` as parsed by `schema`. Throws `INVALID` (422) with the errors by field. */
export function parseAs<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): z.output<Schema> {
  const result = check(schema, value)
  if ('error' in result) throw result.error
  return result.value
}

/** Lets Fastify validate request bodies with the zod schemas of routes. An empty body is null. */
export const validatorCompilerFor =
  (unknownFields: UnknownFields): FastifySchemaCompiler<z.ZodType> =>
  ({ schema }) => {
    const used = withUnknownFields(schema, unknownFields)
    return (value) => check(used, value)
  }

/** Returns the form of a request's schema that treats unknown fields like this. */
export const withUnknownFields = <Schema extends z.ZodType>(
  schema: Schema,
  unknownFields: UnknownFields,
): Schema => (unknownFields === 'ignore' ? ignoringUnknownFields(schema) : schema)
