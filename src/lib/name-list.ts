/** Searching a list up to this length takes less time than looking up its set. */
const SHORT = 16

const SETS = new WeakMap<readonly string[], ReadonlySet<string>>()

/**
 * Returns whether a name is in the list. For immutable lists that are searched many times, such as the receivers of an
 * event. The first search of a long list builds a set, which lives as long as the list.
 */
export function isListed<Name extends string>(names: readonly Name[], name: Name): boolean {
  if (names.length <= SHORT) return names.includes(name)
  let set = SETS.get(names)
  if (!set) SETS.set(names, (set = new Set(names)))
  return set.has(name)
}
