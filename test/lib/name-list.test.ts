import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isListed } from '../../src/lib/name-list.ts'

describe('a list of names', () => {
  it('has what includes finds, however long it is', () => {
    const name = fc.constantFrom('ann', 'bob', '', '__proto__', 'constructor', '0')
    fc.assert(
      fc.property(fc.array(fc.oneof(name, fc.string()), { maxLength: 60 }), name, (names, one) => {
        const found = names.includes(one)
        expect([isListed(names, one), isListed(names, one)]).toEqual([found, found])
      }),
    )
  })

  it('is looked through once, however often it is asked', () => {
    let read = 0
    const names = new Proxy(
      Array.from({ length: 1_000 }, (_, n) => `user ${n}`),
      {
        get(list, key, receiver) {
          if (/^\d+$/.test(String(key))) read++
          return Reflect.get(list, key, receiver) as unknown
        },
      },
    )
    for (let n = 0; n < 100; n++) isListed(names, `nobody ${n}`)
    expect(read).toBeLessThanOrEqual(1_000)
  })
})
