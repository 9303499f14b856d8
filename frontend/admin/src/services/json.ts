/** JSON features of newer browsers that the types of TypeScript do not include yet. */
interface NewerJson {
  readonly rawJSON?: (text: string) => unknown
  readonly isRawJSON?: (value: unknown) => boolean
  readonly parse: (
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ) => unknown
}
const { rawJSON, isRawJSON, parse } = JSON as unknown as NewerJson

/** Matches JSON that may contain a number that JavaScript would write differently. */
const UNUSUAL_NUMBER = /(?:^|[[,:\s])-?(?:0(?![.\d])|[\d.]{16}|\d[\d.]*[eE])/

/**
 * Parses JSON like `JSON.parse`, but keeps the digits of numbers that JavaScript would write differently, so that
 * `JSON.stringify` writes them unchanged. Browsers without `JSON.rawJSON` (Firefox before 135, Safari before 18.4)
 * round such numbers.
 */
export function readJson(text: string): unknown {
  if (!rawJSON || !UNUSUAL_NUMBER.test(text)) return JSON.parse(text) as unknown
  return parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && JSON.stringify(value) !== source
      ? rawJSON(source)
      : value,
  )
}

/** Returns whether the value is a number whose digits `readJson` has kept. */
export const isExactNumber = (value: unknown): boolean => isRawJSON?.(value) === true
