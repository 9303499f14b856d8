/**
 * The body of a 422: the faults of a request, by field.
 *
 * Example: `{"username": ["Missing data for required field."], "channels": {"1": ["Length must be …"]}}`. Each field
 * has a list of texts. Faults in a list are under the index, in a map under the key and then `value`, in an object
 * under its fields. `_schema` means that the whole value has the wrong type. Source: recorded
 * (connect-several-errors-at-once and others).
 */
import { COMPLAINT, MAX_COMPLAINTS } from './fields.ts'
import type { z } from 'zod'

export type Complaints = { [field: string]: string[] | Complaints }

type Issue = z.core.$ZodIssue

/**
 * Maximum number of characters of all paths and texts, and of one step of a path. Callers can send names of any length.
 */
const MAX_CHARACTERS = 65_536
const MAX_STEP_CHARACTERS = 1_000

/** The path of a fault, and its text. */
export type Fault = readonly [path: readonly string[], text: string]

/** Converts zod's issues to the body of a 422. `schema` is the schema that the value violates. */
export const complaintsOf = (schema: z.core.$ZodType, issues: readonly Issue[]): Complaints =>
  listComplaints(faultsIn(schema, issues))

/** Returns the body of a 422 with the first `MAX_COMPLAINTS` faults. If there are more, `_schema` says so. */
export function listComplaints(faults: Iterable<Fault>): Complaints {
  const complaints = emptyComplaints()
  let count = 0
  let characters = 0
  for (const [path, text] of faults) {
    const steps = path.map(shortened)
    characters += steps.reduce((sum, step) => sum + step.length, text.length)
    if (++count > MAX_COMPLAINTS || characters > MAX_CHARACTERS) {
      addComplaint(complaints, [], COMPLAINT.more)
      break
    }
    addComplaint(complaints, steps, text)
  }
  return complaints
}

function* faultsIn(schema: z.core.$ZodType, issues: readonly Issue[]): Generator<Fault> {
  for (const issue of issues) {
    const path = pathOf(schema, issue.path)
    if (issue.code === 'invalid_union') {
      const inner = likelyChoice(issue.errors)
      yield* faultsIn(
        schema,
        inner.map((each) => ({ ...each, path: [...issue.path, ...each.path] })),
      )
    } else if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) yield [[...path, key], COMPLAINT.unknown]
    } else if (isWholeOfWrongType(issue)) {
      yield [[...path, '_schema'], COMPLAINT.type]
    } else {
      yield [path, issue.message]
    }
  }
}

/** Returns the faults of the choice that was probably meant: the first that has the type of the value, or else the first. */
function likelyChoice(choices: readonly (readonly Issue[])[]): readonly Issue[] {
  const isOfType = (issues: readonly Issue[]): boolean =>
    issues.every(({ code, path }) => code !== 'invalid_type' || path.length > 0)
  return choices.find(isOfType) ?? choices[0] ?? []
}

const shortened = (step: string): string =>
  step.length > MAX_STEP_CHARACTERS ? `${step.slice(0, MAX_STEP_CHARACTERS)}…` : step

/** Returns the body of a 422 with one complaint. */
export function complaint(path: readonly string[], text: string): Complaints {
  const complaints = emptyComplaints()
  addComplaint(complaints, path, text)
  return complaints
}

/** Adds `text` at `path`. A field can have several complaints. */
export function addComplaint(complaints: Complaints, path: readonly string[], text: string): void {
  const field = path.at(-1) ?? '_schema'
  let holder = complaints
  for (const step of path.slice(0, -1)) {
    const next = holder[step]
    if (Array.isArray(next)) return // the whole value is invalid, so faults inside it do not matter
    holder = next ?? (holder[step] = emptyComplaints())
  }
  const known = holder[field]
  if (known === undefined) holder[field] = [text]
  else if (Array.isArray(known) && !known.includes(COMPLAINT.list)) known.push(text)
}

/** Without a prototype, because callers choose the names of fields: `__proto__` must be an ordinary name. */
const emptyComplaints = (): Complaints => Object.create(null) as Complaints

/** Whether an object is expected and the value is something else. Missing and null fields have their own complaints. */
function isWholeOfWrongType(issue: Issue): boolean {
  if (issue.code !== 'invalid_type') return false
  const isObject = issue.expected === 'object' || issue.expected === 'record'
  const isBody = issue.path.length === 0
  const isElement = typeof issue.path.at(-1) === 'number'
  if (isBody || isElement) return isObject || isBody
  return isObject && issue.message === COMPLAINT.type
}

/** Inserts `value` into the path after each key of a map. Only the schema can distinguish a map from an object. */
function pathOf(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  const steps: string[] = []
  let at: z.core.$ZodType | undefined = schema
  for (const step of path) {
    steps.push(String(step))
    const container: z.core.$ZodTypeDef | undefined = at && containerOf(at)
    if (container?.type === 'record') steps.push('value')
    at = container && inside(container, step)
  }
  return steps
}

type Def = z.core.$ZodTypeDef & {
  innerType?: z.core.$ZodType
  in?: z.core.$ZodType
  out?: z.core.$ZodType
  shape?: Record<string, z.core.$ZodType>
  element?: z.core.$ZodType
  valueType?: z.core.$ZodType
}

/** Returns the definition inside wrappers such as default, nullable and preprocess. */
function containerOf(schema: z.core.$ZodType): z.core.$ZodTypeDef {
  const def = schema._zod.def as Def
  if (def.innerType) return containerOf(def.innerType)
  if (def.type === 'pipe' && def.in && def.out) {
    return containerOf(def.in._zod.def.type === 'transform' ? def.out : def.in)
  }
  return def
}

function inside(container: z.core.$ZodTypeDef, step: PropertyKey): z.core.$ZodType | undefined {
  const def = container as Def
  return def.shape?.[String(step)] ?? def.element ?? def.valueType
}
