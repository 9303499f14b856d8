import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseInPieces } from '../../src/protocol/json-pieces.ts'

/** Small, so that examples can be short. */
const PIECE = 10

/** Returns the value and the number of pauses, or undefined if the text is rejected. */
function read(
  text: string,
  piece = PIECE,
): { readonly value: unknown; readonly pauses: number } | undefined {
  const reading = parseInPieces(text, JSON.parse, piece)
  try {
    for (let pauses = 0; ; pauses++) {
      const { done, value } = reading.next()
      if (done) return { value, pauses }
    }
  } catch (error) {
    expect(error).toBeInstanceOf(SyntaxError)
    return undefined
  }
}

function parsed(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

/** Returns the value in a form that keeps the order of keys. */
const shown = (result: { readonly value: unknown } | undefined): string | undefined =>
  result && JSON.stringify(result.value)

const LONG = 'x'.repeat(PIECE)
const space = fc.constantFrom('', '', ' ', '\n\t', ' '.repeat(PIECE + 1))
const key = fc.constantFrom(
  'a',
  'b',
  '7',
  '0',
  '__proto__',
  'constructor',
  '',
  '\\"',
  'ключ',
  ',',
  '}',
)
const scalar = fc.oneof(
  fc.constantFrom('1', '-0', '1e5', 'true', 'null', '""', '"[,]"', '"\\\\"', `"${LONG}"`),
  fc.string().map((text) => JSON.stringify(text)),
)

/** JSON with long and short parts on every level, and whitespace everywhere. */
const { json } = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    scalar,
    fc
      .array(fc.tuple(space, tie('json'), space), { maxLength: 4 })
      .map((elements) => `[${elements.map((parts) => parts.join('')).join()}]`),
    fc
      .array(fc.tuple(space, key, space, tie('json')), { maxLength: 4 })
      .map(
        (members) =>
          `{${members.map(([one, name, two, value]) => `${one}"${name}"${two}:${value}`).join()}}`,
      ),
  ),
}))

describe('JSON in pieces', () => {
  it('is what JSON.parse reads', () => {
    fc.assert(
      fc.property(space, json, (before, text) => {
        expect(shown(read(before + text))).toBe(shown(parsed(before + text)))
      }),
      { numRuns: 500 },
    )
  })

  it('is refused where JSON.parse refuses it', () => {
    const broken = fc
      .tuple(
        json,
        fc.nat(),
        fc.constantFrom('', ',', ']', '}', '[', '{', ':', '"', '-', '1', '\u00a0', 'n'),
        fc.nat(2),
      )
      .map(([text, place, inserted, cut]) => {
        const at = place % (text.length + 1)
        return text.slice(0, at) + inserted + text.slice(at + cut)
      })
    fc.assert(
      fc.property(broken, (text) => {
        expect(shown(read(text))).toBe(shown(parsed(text)))
      }),
      { numRuns: 2000 },
    )
  })

  const wrong = [
    '[@,]',
    '[,@]',
    '[@,,@]',
    '[1@]',
    '[@1]',
    '[-@]',
    '[@ @]',
    '{"a":@,}',
    '{,"a":@}',
    '{"a":-@}',
    '{"a":1@}',
    '{"a"@}',
    '{@}',
    '{"a":1,@}',
    '{"a":@ 1}',
    '{"a":@ "b":1}',
    '[@}',
    '{"a":@]',
    '[@',
    '@]',
    '[@]]',
    '[@] 1',
    '[@]\u00a0',
    '[\u00a0@]',
    '{"a":@,"b"}',
    '["a":@]',
    "{'a':@}",
  ]
  it.each(wrong)('is refused around something long: %s', (form) => {
    for (const long of [`["${LONG}"]`, `{"a":"${LONG}"}`, `[${'1,'.repeat(PIECE)}1]`]) {
      const text = form.replaceAll('@', long)
      expect(parsed(text)).toBeUndefined()
      expect(read(text)).toBeUndefined()
    }
  })

  it('takes a pause behind every second piece at least, in whatever shape', () => {
    const keys = Array.from({ length: 4_000 }, (_, n) => `"key ${n}":${n}`)
    const objects = Array.from(
      { length: 10 },
      (_, n) => `{${keys.slice(n * 400, n * 400 + 400).join()}}`,
    )
    const nested = (depth: number): string => (depth === 0 ? '1' : `[${nested(depth - 1)}]`)
    for (const text of [
      `{${keys.join()}}`,
      `[${objects.join()}]`,
      `{"a":{"b":{${keys.join()}}}}`,
      `[${Array.from({ length: 1_000 }, () => nested(50)).join()}]`,
      `[${objects.map((each) => `[${each},"${LONG}"]`).join()}]`,
      `[${Array.from({ length: 20 }, () => `["${'x'.repeat(1_000)}"]`).join()}]`,
      `[${Array.from({ length: 20 }, () => `[${'[],'.repeat(1_000)}[]]`).join()}]`,
    ]) {
      const result = read(text, 1_000)
      expect(shown(result)).toBe(shown(parsed(text)))
      expect(result?.pauses).toBeGreaterThan(text.length / 2_000 - 2)
    }
  })

  it('tells where it is wrong, in the whole of it', () => {
    const text = `[${'1,'.repeat(100)}"a" "b"${',1'.repeat(100)}]`
    const at = text.indexOf('"b"')
    expect(() => [...parseInPieces(text, JSON.parse, PIECE)]).toThrow(String(at))
  })
})
