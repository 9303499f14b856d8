const SHORT = 4

/**
 * The list with one element more: the same list, or another if it is short. For lists of which there are several for each
 * connection, nearly all of them short: `push` would reserve room for sixteen elements that never come.
 */
export function appended<Element>(list: Element[], element: Element): Element[] {
  if (list.length < SHORT) return list.concat([element])
  list.push(element)
  return list
}
