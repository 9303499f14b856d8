import { closest, distance } from 'fastest-levenshtein'

/** Returns a name that starts with `name` and `_`, else the most similar one, else undefined if none is similar. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const longer = names.find((known) => known.startsWith(`${name}_`))
  if (longer !== undefined) return longer
  const found = closest(name, names)
  return distance(name, found) <= Math.max(2, name.length / 3) ? found : undefined
}
