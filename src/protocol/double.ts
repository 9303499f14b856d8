/** A JSON number. */
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/
const PARTS = /^(-?)0*(\d*)(?:\.(\d*))?(?:[eE](.*))?$/
const ZERO = 0x30

export const isNumber = (text: string): boolean => NUMBER.test(text)

/**
 * Whether a JavaScript number keeps the value of this JSON number when it is written again, and stays an integer if the
 * text is one. -0 is not the same as 0.
 */
export function fitsDouble(text: string): boolean {
  const double = Number(text)
  const written = String(double)
  if (written === text) return true
  return /[.eE]/.test(text) && Number.isFinite(double) && decimalOf(written) === decimalOf(text)
}

/**
 * Returns a canonical text, which is the same for all spellings of a number. Exponents must be in the range of doubles.
 */
function decimalOf(text: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = PARTS.exec(text) ?? []
  const digits = (whole + fraction).replace(/^0+/, '')
  let length = digits.length
  while (digits.charCodeAt(length - 1) === ZERO) length--
  if (length === 0) return `${sign}0`
  const power = Number(exponent) - fraction.length + digits.length - length
  return `${sign}${digits.slice(0, length)}e${power}`
}
