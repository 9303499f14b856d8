/**
 * Characters that must not reach a terminal: control characters, bidirectional controls, Unicode line breaks, and lone
 * surrogates, which no terminal can show.
 */
export const HARMFUL = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\p{Surrogate}]/gu

/** Returns the escape of one UTF-16 code unit, as JSON and JavaScript write it: `\u2028`. */
export const unicodeEscape = (unit: string): string =>
  `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
