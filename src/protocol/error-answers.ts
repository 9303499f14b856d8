/** The answers to requests that are refused, and what the description of the API says about them. */
import { z } from 'zod'
import { ERRORS } from './errors.ts'
import { EXAMPLES } from './examples.ts'
import type { Complaints } from './complaints.ts'
import type { ErrorCode } from './errors.ts'

export const ErrorResponse = z
  .object({ request: z.string() })
  .meta({ id: 'Error', description: 'An error of the request as a whole.' })
export const InvalidResponse: z.ZodType<Complaints> = z
  .record(z.string(), z.union([z.array(z.string()), z.lazy(() => InvalidResponse)]))
  .meta({
    id: 'Invalid',
    description: 'Errors by field: a list of texts, or a nested object of the same form.',
  })
export const ErrorListResponse = z
  .array(z.string())
  .meta({ id: 'ErrorList', description: 'Errors of the request as a whole.' })

/** The forms of the bodies of errors, by the names of their schemas. */
const FORMS = { Error: ErrorResponse, Invalid: InvalidResponse, ErrorList: ErrorListResponse }

/** What the description of the API says about an error. */
export interface Refusal {
  readonly code: ErrorCode
  readonly description: string
  readonly form: keyof typeof FORMS
  readonly example: unknown
}

/** Returns the errors that the schema of an answer describes. */
export const refusalsOf = (schema: z.ZodType): readonly Refusal[] =>
  (schema.meta()?.[REFUSALS] as readonly Refusal[] | undefined) ?? []
const REFUSALS = 'refusals'

/** Returns the schema of an answer with one of these errors, which have the same status. */
export const errorAnswers = (...refusals: readonly [Refusal, ...Refusal[]]): z.ZodType => {
  const [{ form, description, example }] = refusals
  return FORMS[form].meta({ description, examples: [example], [REFUSALS]: refusals })
}

/** Returns the schema of an error answer, with the text of the error as an example. */
export const errorAnswer = (code: ErrorCode, description: string) =>
  errorAnswers({ code, description, form: 'Error', example: { request: ERRORS[code].text } })

export const invalidBody = { form: 'Invalid', example: EXAMPLES.invalid } as const

/** Returns the schema of an answer with errors by field. */
export const invalidAnswer = (description: string, example: object) =>
  errorAnswers({ code: 'INVALID', description, form: 'Invalid', example })
