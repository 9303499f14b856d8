/**
 * Values that can be read and are probably not meant so: their users get refusals that say nothing of the reason, such as
 * 401 for a secret in quotes. Nothing is taken away, because Python's `configparser` takes nothing away either.
 */
import { SETTING_BY_NAME } from './schema.ts'
import { faultIn, type Values } from './sources.ts'

/** Zero width, or a byte order mark: pasted from a page, or written by an editor. */
const INVISIBLE = /[\u00AD\u200B-\u200F\u2060\uFEFF]/

/** A sentence for each value that is probably not meant so. None has the value in it. */
export const mistakeNotes = (values: Values): readonly string[] =>
  [...values.values()].flatMap((given) => {
    const problems =
      SETTING_BY_NAME.get(given.name)?.isText === true
        ? mistakesInText(given.value)
        : quotesIn(given.value)
    return problems.map((problem) => {
      const { where, problem: named } = faultIn(given, problem)
      return `${where}: ${named}`
    })
  })

/** What may be wrong with a text of which every character counts. */
export function mistakesInText(value: unknown): readonly string[] {
  if (typeof value !== 'string') return []
  const problems = [...quotesIn(value)]
  if (value !== value.trim())
    problems.push('the white space around the value is part of it; remove it if it is not meant')
  if (/\s[#;]/.test(value))
    problems.push(
      'the value contains " #" or " ;", which does not begin a comment there; a comment needs a line of its own',
    )
  if (INVISIBLE.test(value)) problems.push('the value contains characters that cannot be seen')
  return problems
}

/** The same for values of other kinds, and for the parts of a list. */
function quotesIn(value: unknown): readonly string[] {
  const parts = typeof value === 'string' ? [value, ...value.split(/[,\n]/)] : []
  return parts.some(isQuoted) ? [QUOTES] : []
}

export const isQuoted = (value: unknown): boolean =>
  typeof value === 'string' && /^(["']).*\1$/s.test(value.trim())

export const QUOTES =
  'the quotes around the value are part of it; remove them if they are not meant'
