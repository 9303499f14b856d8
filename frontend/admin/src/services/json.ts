/** What newer browsers have of JSON, and the types of TypeScript do not know yet. */
interface NewerJson {
  readonly rawJSON?: (text: string) => unknown
  readonly isRawJSON?: (value: unknown) => boolean
  readonly parse: (
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ) => unknown
}
const { rawJSON, isRawJSON, parse } = JSON as unknown as NewerJson

/** Only with such a number in it. */
const UNUSUAL_NUMBER = /(?:^|[[,:\s])-?(?:0(?![.\d])|[\d.]{16}|\d[\d.]*[eE])/

/**
 * As `JSON.parse`, but a number that JavaScript would write another way keeps its digits: `JSON.stringify` writes them.
 * Browsers that cannot do that (Firefox before 135, Safari before 18.4) round it.
 */
export function readJson(text: string): unknown {
  if (!rawJSON || !UNUSUAL_NUMBER.test(text)) return JSON.parse(text) as unknown
  return parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && JSON.stringify(value) !== source
      ? rawJSON(source)
      : value,
  )
}

/** Whether it is a number that `readJson` has kept the digits of. */
export const isExactNumber = (value: unknown): boolean => isRawJSON?.(value) === true
