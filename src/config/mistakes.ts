/**
 * Finds values that are valid but probably a mistake. Such a mistake leads to errors that do not show the cause, such
 * as a 401 because of a secret in quotes. Values are not changed, because Python's `configparser` does not change them
 * either.
 */
import { SETTING_BY_NAME } from './schema.ts'
import { faultIn, type Given, type Values } from './sources.ts'

/** Zero-width characters and byte order marks: pasted from a page, or written by an editor. */
const INVISIBLE = /[\u00AD\u200B-\u200F\u2060\uFEFF]/

/** Returns a note for each probable mistake. No note contains the value. */
export const mistakeNotes = (values: Values): readonly string[] =>
  [...values.values()].flatMap((given) =>
    mistakesIn(given).map((problem) => {
      const { where, problem: named } = faultIn(given, problem)
      return `${where}: ${named}`
    }),
  )

function mistakesIn({ name, value }: Given): readonly string[] {
  const setting = SETTING_BY_NAME.get(name)
  if (setting?.isText === true) return mistakesInText(value)
  return setting?.hasTextLines === true ? mistakesInLines(value) : quotesIn(value)
}

/** Returns the probable mistakes in texts that are on one line each, or in a list. */
export function mistakesInLines(value: unknown): readonly string[] {
  const lines: unknown[] = typeof value === 'string' ? value.split(/\r?\n/) : [value].flat()
  const texts = lines.filter((line) => typeof line === 'string' && line.trim() !== '')
  return [...new Set(texts.flatMap(mistakesInText))]
}

/** Returns the probable mistakes in a text in which every character is significant. */
export function mistakesInText(value: unknown): readonly string[] {
  if (typeof value !== 'string') return []
  const problems = [...quotesIn(value)]
  if (value !== value.trim())
    problems.push('the whitespace around the value is part of it; remove it if it is not intended')
  if (/\s[#;]/.test(value))
    problems.push(
      'the value contains " #" or " ;", which does not start a comment; put comments on a separate line',
    )
  if (INVISIBLE.test(value)) problems.push('the value contains invisible characters')
  return problems
}

/** Returns the probable mistakes in values of other kinds: quotes around the value, or around a part of a list. */
function quotesIn(value: unknown): readonly string[] {
  const parts = typeof value === 'string' ? [value, ...value.split(/[,\n]/)] : []
  return parts.some(isQuoted) ? [QUOTES] : []
}

export const isQuoted = (value: unknown): boolean =>
  typeof value === 'string' && /^(["']).*\1$/s.test(value.trim())

export const QUOTES =
  'the quotes around the value are part of it; remove them if they are not intended'
