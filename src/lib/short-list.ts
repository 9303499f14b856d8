const SHORT = 4

/**
 * Appends an element and returns the list, which is a new one while the list is short. For lists that exist several
 * times per connection and are nearly always short: `push` would reserve memory for sixteen elements.
 */
export function appended<Element>(list: Element[], element: Element): Element[] {
  if (list.length < SHORT) return list.concat([element])
  list.push(element)
  return list
}
