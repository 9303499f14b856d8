/** A list that is no longer than this is looked through in less time than a set is found. */
const SHORT = 16

const SETS = new WeakMap<readonly string[], ReadonlySet<string>>()

/**
 * Whether a name is in the list. For lists that do not change and are asked for many names, such as those of the users
 * whom an event is for: a set is made of a long one when it is first asked, and is kept as long as the list.
 */
export function isListed<Name extends string>(names: readonly Name[], name: Name): boolean {
  if (names.length <= SHORT) return names.includes(name)
  let set = SETS.get(names)
  if (!set) SETS.set(names, (set = new Set(names)))
  return set.has(name)
}
