/** Numbers in all JSON notations, to test that they arrive unchanged. */
import fc from 'fast-check'

/** Numbers that arrive exactly as posted. */
export const AS_POSTED = [
  '1234567890123456789',
  '-1234567890123456789',
  '9007199254740993',
  '100000000000000000000000',
  '1e400',
  '-1E+400',
  '1e-400',
  '123456789.123456789123456789',
  '0.1000000000000000055511151231257827',
  '1.0000000000000000000000000000000000001',
  '-0',
  '-0.0',
  '-0e5',
  '0.1',
  '12345678901234567000',
  '1700000000.123456',
]

/** Numbers that arrive in another notation, with the same value. */
export const REWRITTEN = [
  ['1.0', '1'],
  ['1.50', '1.5'],
  ['0.000', '0'],
  ['1E5', '100000'],
  ['1e-05', '0.00001'],
  ['1e-07', '1e-7'],
  ['1e22', '1e+22'],
  ['0e999999999999999999999', '0'],
  ['1700000000.500000000000', '1700000000.5'],
  ['0.000000000000000000000001', '1e-24'],
  ['100000000000000000000000.0', '1e+23'],
] as const

const digits = (min: number, max: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: min, maxLength: max })
/** A non-negative integer. */
export const whole = fc.oneof(
  fc.constantFrom('0', '1', '9007199254740993', '1234567890123456789'),
  digits(1, 30).map((text) => text.replace(/^0+(?=.)/, '')),
)
/** Any JSON number. */
export const number = fc.oneof(
  fc.constantFrom(...AS_POSTED, ...REWRITTEN.map(([posted]) => posted)),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((double) => JSON.stringify(double)),
  fc
    .tuple(
      fc.constantFrom('', '-'),
      whole,
      fc.option(digits(1, 25), { nil: '' }),
      fc.option(fc.tuple(fc.constantFrom('e', 'E', 'e+', 'e-', 'E-'), digits(1, 4)), { nil: [] }),
    )
    .map(([sign, text, fraction, exponent]) => {
      return sign + text + (fraction && `.${fraction}`) + exponent.join('')
    }),
)

const text = fc.oneof(
  fc.string(),
  fc.constantFrom('', '\\', '"', ',1e400,', ': -0', '[1234567890123456789]', '\\"1e400'),
)
const space = fc.constantFrom('', '', ' ', '\n', '\t \r')

/** JSON in any formatting, with numbers anywhere. */
export const { json } = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    number,
    text.map((each) => JSON.stringify(each)),
    fc.constantFrom('true', 'false', 'null'),
    fc
      .array(fc.tuple(space, tie('json'), space).map((parts) => parts.join('')))
      .map((elements) => `[${elements.join()}]`),
    fc
      .uniqueArray(fc.tuple(text, space, space, tie('json'), space), { selector: ([key]) => key })
      .map(
        (members) =>
          `{${members.map(([key, one, two, value, three]) => `${one}${JSON.stringify(`k${key}`)}${two}:${value}${three}`).join()}}`,
      ),
  ),
}))

/** Returns a canonical text of a number, equal for all notations of the same value. */
export function exactly(posted: string): string {
  const [, sign = '', int = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE](.+))?$/.exec(posted) ?? []
  const all = BigInt(int + fraction)
  if (all === 0n) return `${sign}0`
  const trimmed = String(all).replace(/0+$/, '')
  return `${sign}${trimmed}e${BigInt(exponent) - BigInt(fraction.length) + BigInt(String(all).length - trimmed.length)}`
}

/** Returns the JSON without whitespace, with each number replaced by `spell`. */
export const normal = (source: string, spell: (number: string) => string) =>
  source.replace(/"(?:[^"\\]|\\.)*"|[ \t\r\n]+|-?\d[-+.\deE]*/g, (token) =>
    token.startsWith('"') ? JSON.stringify(JSON.parse(token)) : token.trim() && spell(token),
  )
