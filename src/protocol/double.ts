/** A number of JSON, or nearly one: what it is not is found when it is parsed. */
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/
const PARTS = /^(-?)0*(\d*)(?:\.(\d*))?(?:[eE](.*))?$/
const ZERO = 0x30

export const isNumber = (text: string): boolean => NUMBER.test(text)

/**
 * Whether a JavaScript number is written as the same number as this text of JSON, and as an integer if the text is one.
 * -0 is not the same as 0.
 */
export function fitsDouble(text: string): boolean {
  const double = Number(text)
  const written = String(double)
  if (written === text) return true
  return /[.eE]/.test(text) && Number.isFinite(double) && decimalOf(written) === decimalOf(text)
}

/** The same text for every text of one number, as long as its exponent is no larger than those of doubles. */
function decimalOf(text: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = PARTS.exec(text) ?? []
  const digits = (whole + fraction).replace(/^0+/, '')
  let length = digits.length
  while (digits.charCodeAt(length - 1) === ZERO) length--
  if (length === 0) return `${sign}0`
  const power = Number(exponent) - fraction.length + digits.length - length
  return `${sign}${digits.slice(0, length)}e${power}`
}
