import { isSameScalar, writeJson } from '../../protocol/exact-numbers.ts'
import type { Changed, State } from '../store.ts'

/**
 * Returns the keys that change. Null for a missing key is no change. 1 differs from true and from "1" (recorded:
 * state-values-differ-by-type).
 */
export function changesOf(state: State, wanted: State): Changed[] {
  return Object.entries(wanted)
    .filter(([key, value]) => !isSameScalar(Object.hasOwn(state, key) ? state[key] : null, value))
    .map(([key, value]) => ({ key, value }))
}

/** Shared by the many users without state. */
export const NO_STATE: State = Object.freeze({})
export const NO_KEYS: readonly string[] = Object.freeze([])

export function withChanges(state: State, changes: readonly Changed[]): State {
  if (changes.length === 0) return state
  return { ...state, ...Object.fromEntries(changes.map(({ key, value }) => [key, value])) }
}

/** Returns the part of a state that others may see. */
export function publicPart(state: State, publicKeys: readonly string[]): State {
  if (publicKeys.length === 0) return NO_STATE
  const shown = new Set(publicKeys)
  return Object.fromEntries(Object.entries(state).filter(([key]) => shown.has(key)))
}

export const isTooLarge = (state: State, maxBytes: number): boolean =>
  Buffer.byteLength(writeJson(state)) > maxBytes
