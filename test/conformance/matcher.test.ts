import { describe, expect, it } from 'vitest'
import { Bindings } from './bindings.ts'
import { match, Mismatch } from './matcher.ts'
import type { Json } from './scenario.ts'

const ANN = '11111111-1111-1111-1111-111111111111'
const BOB = '22222222-2222-2222-2222-222222222222'

function judge(
  expected: Json,
  actual: unknown,
  options: { bindings?: Bindings; exactBody?: boolean } = {},
) {
  const { bindings = new Bindings(), exactBody = false } = options
  try {
    match(expected, actual, { where: '', bindings, exactBody })
    return 'fits'
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error
    return error.note ? `${error.where}: ${error.note}` : error.where || '(answer)'
  }
}

function boundTo(values: Record<string, string>): Bindings {
  const bindings = new Bindings()
  for (const [name, value] of Object.entries(values)) bindings.bind(name, value)
  return bindings
}

describe('plain values', () => {
  it.each<[Json, unknown]>([
    ['a', 'b'],
    [1, '1'],
    [1, 2],
    [0, null],
    [0, false],
    [true, 1],
    [null, undefined],
    [null, 'null'],
    ['constructor', 'toString'],
    [[], {}],
    [{}, []],
    [{}, null],
    [{}, 'text'],
  ])('%j is not %j', (expected, actual) => {
    expect(judge(expected, actual)).not.toBe('fits')
  })

  it('compares deeply', () => {
    expect(judge({ a: [{ b: null }] }, { a: [{ b: null }] })).toBe('fits')
    expect(judge({ a: [{ b: null }] }, { a: [{ b: 0 }] })).toBe('.a[0].b')
  })
})

describe('lists', () => {
  it('keep their order', () => {
    expect(judge(['a', 'b'], ['a', 'b'])).toBe('fits')
    expect(judge(['a', 'b'], ['b', 'a'])).toBe('[0]')
  })

  it('have neither more nor fewer elements than expected', () => {
    expect(judge(['a', 'b'], ['a'])).toBe('[1]: list of 1 instead of 2')
    expect(judge(['a'], ['a', 'b'])).toBe('[1]: list of 2 instead of 1')
    expect(judge([], ['a'])).toBe('[0]: list of 1 instead of 0')
  })
})

describe('objects', () => {
  it('must have every expected key', () => {
    expect(judge({ a: 1, b: '@any' }, { a: 1 })).toBe('.b: missing key')
    expect(judge({ a: null }, {})).toBe('.a: missing key')
  })

  it('may have more keys where none of them is an answer of its own', () => {
    expect(judge({ a: 1 }, { a: 1, b: 2 })).toBe('fits')
  })

  it.each(['channels', 'state', 'public_state', 'user_state', 'message'])(
    'may not have more keys under %s',
    (key) => {
      expect(judge({ [key]: { a: 1 } }, { [key]: { a: 1 } })).toBe('fits')
      expect(judge({ [key]: { a: 1 } }, { [key]: { a: 1, b: 2 } })).toBe(
        `.${key}.b: unexpected key`,
      )
    },
  )

  it('may have more keys below an exact map, in what its names stand for', () => {
    const channels = { room: { users: [] } }
    expect(judge({ channels }, { channels: { room: { users: [], length: 0 } } })).toBe('fits')
  })

  it('may not have more keys anywhere in the body of a 422', () => {
    const exactBody = true
    expect(judge({ body: { a: {} } }, { body: { a: { b: 1 } } }, { exactBody })).toBe(
      '.body.a.b: unexpected key',
    )
    expect(judge({ body: {} }, { body: {}, headers: {} }, { exactBody })).toBe('fits')
  })

  it('compare keys that every object inherits', () => {
    expect(judge({ toString: '@any' }, {})).toBe('.toString: missing key')
    expect(judge({ message: {} }, { message: { constructor: 1 } })).not.toBe('fits')
  })
})

describe('kinds', () => {
  it.each<[string, unknown[], unknown[]]>([
    ['@any', [null, 0, ''], [undefined]],
    ['@absent', [undefined], [null, 0]],
    ['@string', ['', 'a'], [1, null]],
    ['@int', [0, -1], [0.5, '1', null]],
    ['@uuid', [ANN], [ANN.replaceAll('-', ''), ANN.replace('1', 'A'), `${ANN} `, 1]],
    [
      '@ts',
      ['2024-01-02T03:04:05.123456', '2024-01-02T03:04:05'],
      ['2024-01-02T03:04:05.123', '2024-01-02T03:04:05.123456Z', '2024-01-02 03:04:05', 0],
    ],
  ])('%s', (kind, good, bad) => {
    for (const value of good) expect([value, judge(kind, value)]).toEqual([value, 'fits'])
    for (const value of bad) expect([value, judge(kind, value)]).toEqual([value, '(answer)'])
  })

  it('@absent wants the key to be missing, not null', () => {
    expect(judge({ a: '@absent' }, {})).toBe('fits')
    expect(judge({ a: '@absent' }, { a: null })).toBe('.a')
  })

  it('@now is within a minute of now', () => {
    const stamp = (offsetMs: number) =>
      new Date(Date.now() + offsetMs).toISOString().replace('Z', '000')
    expect(judge('@now', stamp(-5000))).toBe('fits')
    expect(judge('@now', stamp(-3_600_000))).toBe('(answer)')
    expect(judge('@now', stamp(3_600_000))).toBe('(answer)')
  })
})

describe('names', () => {
  it('stand for the same value from then on', () => {
    expect(judge(['$a', '$b', '$a'], [ANN, BOB, ANN])).toBe('fits')
    expect(judge(['$a', '$b', '$a'], [ANN, BOB, BOB])).toBe('[2]')
  })

  it('of different UUIDs differ', () => {
    expect(judge(['$a', '$b'], [ANN, ANN])).toBe('[1]: the same UUID as $a')
  })

  it('of timestamps and strings may share a value', () => {
    expect(judge(['$ts1', '$ts2'], ['2024-01-02T03:04:05', '2024-01-02T03:04:05'])).toBe('fits')
    expect(judge(['$str1', '$str2'], ['a', 'a'])).toBe('fits')
  })

  it('refuse a value that is not of their kind', () => {
    expect(judge('$a', 'no uuid')).toBe('(answer)')
    expect(judge('$a', undefined)).toBe('(answer)')
    expect(judge('$ts1', 'soon')).toBe('(answer)')
    expect(judge('$str1', 1)).toBe('(answer)')
  })
})

describe('@set', () => {
  it('takes any order, but every element once', () => {
    expect(judge({ '@set': ['a', 'b'] }, ['b', 'a'])).toBe('fits')
    expect(judge({ '@set': ['a', 'a'] }, ['a', 'a'])).toBe('fits')
    expect(judge({ '@set': ['a', 'b'] }, ['a', 'a'])).not.toBe('fits')
    expect(judge({ '@set': ['a', 'b'] }, ['a'])).not.toBe('fits')
    expect(judge({ '@set': ['a'] }, ['a', 'b'])).not.toBe('fits')
    expect(judge({ '@set': ['a'] }, 'a')).not.toBe('fits')
  })

  it('goes back on a pairing that leaves a later element without one', () => {
    const bindings = new Bindings()
    const expected = { '@set': [{ id: '$a' }, { id: '$b', user: 'ann' }] }
    const actual = [{ id: ANN, user: 'ann' }, { id: BOB }]
    expect(judge(expected, actual, { bindings })).toBe('fits')
    expect([bindings.get('$a'), bindings.get('$b')]).toEqual([BOB, ANN])
  })

  it('heeds names that are bound already', () => {
    const bindings = boundTo({ $a: ANN })
    const expected = { '@set': [{ id: '$a', user: 'ann' }] }
    expect(judge(expected, [{ id: BOB, user: 'ann' }], { bindings })).not.toBe('fits')
  })

  it('binds nothing if it fails', () => {
    const bindings = new Bindings()
    expect(judge({ '@set': ['$a', 'x'] }, [ANN, 'y'], { bindings })).not.toBe('fits')
    expect(bindings.get('$a')).toBeUndefined()
  })

  it('names the nearest miss', () => {
    const note = judge({ '@set': [{ user: 'ann', state: { x: 1 } }] }, [
      { user: 'ann', state: { x: 2 } },
    ])
    expect(note).toContain('{0}.state.x, 1 / 2')
  })
})

describe('alternatives', () => {
  it('@oneOf takes the first that fits', () => {
    expect(judge({ '@oneOf': [400, 422] }, 422)).toBe('fits')
    expect(judge({ '@oneOf': [400, 422] }, 500)).toBe('(answer)')
    expect(judge({ '@oneOf': ['@absent', 'a'] }, undefined)).toBe('fits')
  })

  it('@oneOf forgets what an alternative bound that did not fit', () => {
    const bindings = new Bindings()
    const expected = {
      '@oneOf': [
        { id: '$a', n: 1 },
        { id: '$b', n: 2 },
      ],
    }
    expect(judge(expected, { id: ANN, n: 2 }, { bindings })).toBe('fits')
    expect([bindings.get('$a'), bindings.get('$b')]).toEqual([undefined, ANN])
  })

  it('@not wants what it names not to fit, and binds nothing', () => {
    const bindings = new Bindings()
    expect(judge({ '@not': 'a' }, 'b')).toBe('fits')
    expect(judge({ '@not': 'a' }, 'a')).toBe('(answer)')
    expect(judge({ '@not': '$a' }, ANN, { bindings })).toBe('(answer)')
    expect(bindings.get('$a')).toBeUndefined()
  })

  it('@all wants everything at once', () => {
    expect(judge({ '@all': ['@string', { '@match': 'b' }] }, 'abc')).toBe('fits')
    expect(judge({ '@all': ['@string', { '@match': 'x' }] }, 'abc')).toBe('(answer)')
  })
})

describe('other matchers', () => {
  it('@match looks for a pattern in text, over line breaks too', () => {
    expect(judge({ '@match': '^a.b$' }, 'a\nb')).toBe('fits')
    expect(judge({ '@match': '^b' }, 'ab')).toBe('(answer)')
    expect(judge({ '@match': '1' }, 1)).toBe('(answer)')
  })

  it('@from is a range with both its ends', () => {
    for (const value of [1, 2, 3]) expect(judge({ '@from': [1, 3] }, value)).toBe('fits')
    for (const value of [0.9, 3.1, '2', null])
      expect(judge({ '@from': [1, 3] }, value)).toBe('(answer)')
  })

  it('@repeat counts', () => {
    expect(judge({ '@repeat': ['x', 3] }, 'xxx')).toBe('fits')
    expect(judge({ '@repeat': ['x', 3] }, 'xxxx')).toBe('(answer)')
  })

  it('@some looks at the named keys only, in an exact map too', () => {
    const expected = { channels: { '@some': { a: 1, b: '@absent' } } }
    expect(judge(expected, { channels: { a: 1, c: 3 } })).toBe('fits')
    expect(judge(expected, { channels: { a: 1, b: 2 } })).toBe('.channels.b')
    expect(judge(expected, { channels: { c: 3 } })).toBe('.channels.a')
    expect(judge(expected, { channels: ['a'] })).toBe('.channels: not an object')
  })

  it('an unknown one is a mistake in the scenario', () => {
    expect(() => judge({ '@sett': [] }, [])).toThrow('unknown matcher @sett')
    expect(() => judge({ '@oneOf': [{ '@sett': [] }, '@any'] }, [])).toThrow('unknown matcher')
  })
})
