import { HARMFUL, unicodeEscape } from '../lib/escapes.ts'

/**
 * Turns text from other people into one line that is safe to print on a terminal. Control characters, line breaks and
 * bidirectional controls become escapes.
 */
export const printable = (text: string): string =>
  text.replace(HARMFUL, (found) => SHORT_FORMS.get(found) ?? unicodeEscape(found))

const SHORT_FORMS = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
])
