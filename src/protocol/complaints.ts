/**
 * The body of a 422: every fault of a request, under the field it is in.
 *
 * `{"username": ["Missing data for required field."], "channels": {"1": ["Length must be …"]}}`: a list of texts at a
 * field; under a list the index, under a map the key and then `value`, under an object its fields; `_schema` where the
 * whole is of the wrong type. Source: recorded (connect-several-errors-at-once and others).
 */
import { COMPLAINT, MAX_COMPLAINTS } from './fields.ts'
import type { z } from 'zod'

export type Complaints = { [field: string]: string[] | Complaints }

type Issue = z.core.$ZodIssue

/** Characters of paths and texts that are told, and of one step of a path: callers name fields as long as they like. */
const MAX_CHARACTERS = 65_536
const MAX_STEP_CHARACTERS = 1_000

/** Where a fault is, and what is said of it. */
export type Fault = readonly [path: readonly string[], text: string]

/** Arranges zod's list of issues as Channelstream tells them. `schema` is the one that was not met. */
export const complaintsOf = (schema: z.core.$ZodType, issues: readonly Issue[]): Complaints =>
  told(faultsIn(schema, issues))

/** The first `MAX_COMPLAINTS` of these, as the body of a 422. `_schema` says whether there are more. */
export function told(faults: Iterable<Fault>): Complaints {
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
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) yield [[...path, key], COMPLAINT.unknown]
    } else if (isWholeOfWrongType(issue)) {
      yield [[...path, '_schema'], COMPLAINT.type]
    } else {
      yield [path, issue.message]
    }
  }
}

const shortened = (step: string): string =>
  step.length > MAX_STEP_CHARACTERS ? `${step.slice(0, MAX_STEP_CHARACTERS)}…` : step

/** One complaint, as the body of a 422. */
export function complaint(path: readonly string[], text: string): Complaints {
  const complaints = emptyComplaints()
  addComplaint(complaints, path, text)
  return complaints
}

/** Puts `text` at `path`; a field that has complaints already gets one more. */
export function addComplaint(complaints: Complaints, path: readonly string[], text: string): void {
  const field = path.at(-1) ?? '_schema'
  let holder = complaints
  for (const step of path.slice(0, -1)) {
    const next = holder[step]
    if (Array.isArray(next)) return // the whole is of the wrong type: what is wrong inside does not matter
    holder = next ?? (holder[step] = emptyComplaints())
  }
  const there = holder[field]
  if (there === undefined) holder[field] = [text]
  else if (Array.isArray(there) && !there.includes(COMPLAINT.list)) there.push(text)
}

/** Without a prototype: fields are named by callers, and `__proto__` is a name like any other. */
const emptyComplaints = (): Complaints => Object.create(null) as Complaints

/** An object is asked for, and something else is there. A field that is missing or null is told as that instead. */
function isWholeOfWrongType(issue: Issue): boolean {
  if (issue.code !== 'invalid_type') return false
  const isObject = issue.expected === 'object' || issue.expected === 'record'
  const isBody = issue.path.length === 0
  const isElement = typeof issue.path.at(-1) === 'number'
  if (isBody || isElement) return isObject || isBody
  return isObject && issue.message === COMPLAINT.type
}

/** The path with `value` put in after each key of a map, which only the schema can tell from an object. */
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

/** The definition under wrappers such as default, nullable and preprocess. */
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
