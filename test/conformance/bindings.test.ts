import { describe, expect, it } from 'vitest'
import { Bindings } from './bindings.ts'

describe('fill', () => {
  it('puts values in the place of names, as keys too', () => {
    const bindings = new Bindings()
    bindings.bind('$a', 'ann')
    expect(bindings.fill({ users: ['$a', 'bob'], $a: 1 })).toEqual({
      users: ['ann', 'bob'],
      ann: 1,
    })
  })

  it('refuses a name that stands for nothing yet', () => {
    expect(() => new Bindings().fill({ user: '$a' })).toThrow('$a is not bound yet')
  })

  it('writes @times and @repeat out', () => {
    expect(
      new Bindings().fill([
        'first',
        { '@times': [3, { n: '@i', text: { '@repeat': ['ab', 2] } }] },
      ]),
    ).toEqual(['first', ...[0, 1, 2].map((n) => ({ n, text: 'abab' }))])
  })
})

describe('fillText', () => {
  it('replaces the names it knows, wherever they stand', () => {
    const bindings = new Bindings()
    bindings.bind('$a', 'ann')
    expect(bindings.fillText('/x/$a?y=$b')).toBe('/x/ann?y=$b')
  })
})
