/** Returns the escape of one UTF-16 code unit, as JSON and JavaScript write it: `\u2028`. */
export const unicodeEscape = (unit: string): string =>
  `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
