import { expect } from 'vitest'
import type { Answer, Backend } from '../helpers/http.ts'

/** Traces of the server's inside: stacks, paths, modules. */
const INSIDE = /\bat \S+ \(|\.[jt]s:\d+|node_modules|node:internal|\/(?:src|dist|work|home|tmp)\//

/**
 * A refusal as callers need it: a 4xx, in JSON, that names what is wrong and shows nothing of the server's inside.
 * `field` is the first step of the path to the fault: the key of the answer.
 */
export function expectRefusal(answer: Answer, status: number, field: string): void {
  const seen = `${answer.status} ${answer.text.slice(0, 500)}`
  expect(answer.status, seen).toBe(status)
  expect(answer.text).not.toMatch(INSIDE)
  expect(Object.keys(answer.body ?? {}), seen).toContain(field)
  if (status === 422) expectComplaints(answer.body)
}

/** `{"field": ["…"]}`, or the same further down. */
function expectComplaints(body: unknown): void {
  for (const complaints of Object.values(body as object) as unknown[]) {
    if (!Array.isArray(complaints)) expectComplaints(complaints)
    else expect([...new Set(complaints.map((text) => typeof text))]).toEqual(['string'])
  }
}

/** Sees to it that `act` changes nothing that can be seen of the server. */
export async function expectNothingDone(backend: Backend, act: () => Promise<void>): Promise<void> {
  const before = await backend.facts()
  await act()
  expect(await backend.facts()).toEqual(before)
}
