/**
 * What others wrote, as one line that does nothing to a terminal: control characters, line breaks among them, and what
 * turns the direction of writing are shown as escapes.
 */
export const printable = (text: string): string =>
  text.replace(HARMFUL, (found) => SHORT_FORMS.get(found) ?? unicodeEscape(found))

/** Also the line breaks of Unicode, and halves of characters, which no terminal can show. */
const HARMFUL = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\p{Surrogate}]/gu
const SHORT_FORMS = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
])
const unicodeEscape = (character: string): string =>
  `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
