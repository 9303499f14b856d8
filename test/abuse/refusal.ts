import { expect } from 'vitest'
import type { Answer, Backend } from '../helpers/http.ts'

/** Traces of server internals: stacks, paths, modules. */
const INSIDE = /\bat \S+ \(|\.[jt]s:\d+|node_modules|node:internal|\/(?:src|dist|work|home|tmp)\//

/**
 * Expects a refusal that is useful to callers: a 4xx in JSON that names the error and shows no server internals.
 * `field` is the first step of the path to the error: the key in the answer.
 */
export function expectRefusal(answer: Answer, status: number, field: string): void {
  const seen = `${answer.status} ${answer.text.slice(0, 500)}`
  expect(answer.status, seen).toBe(status)
  expect(answer.text).not.toMatch(INSIDE)
  expect(Object.keys(answer.body ?? {}), seen).toContain(field)
  if (status === 422) expectComplaints(answer.body)
}

/** `{"field": ["…"]}`, or the same in a nested object. */
function expectComplaints(body: unknown): void {
  for (const complaints of Object.values(body as object) as unknown[]) {
    if (!Array.isArray(complaints)) expectComplaints(complaints)
    else expect([...new Set(complaints.map((text) => typeof text))]).toEqual(['string'])
  }
}

/** Expects that `act` changes nothing that is visible through the API. */
export async function expectNothingDone(backend: Backend, act: () => Promise<void>): Promise<void> {
  const before = await backend.facts()
  await act()
  expect(await backend.facts()).toEqual(before)
}
