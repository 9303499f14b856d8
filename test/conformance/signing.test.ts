import { describe, expect, it } from 'vitest'
import { signText } from './signing.ts'

describe('signText', () => {
  it.each([
    ['channelstream', 'secret', 'channelstream.X14QAA.QLT3kgcJYg14C3PAy4wtyg5uGgI'],
    ['/connect.a', 'Ünï-sécret', '/connect.a.X14QAA.WyavwI8TWUqC6RYbeVocPjdQMUo'],
    ['', 'secret', '.X14QAA.3eoSzHEDpqVQaJci5wEH9uvQtYU'],
  ])('signs %j with %j as itsdangerous does', (value, secret, signed) => {
    expect(signText(value, { secret, atSeconds: 1_600_000_000 })).toBe(signed)
  })

  it('counts from the epoch that is asked for', () => {
    const epochSeconds = 1_293_840_000
    const [, since2011] = signText('a', {
      secret: 's',
      atSeconds: epochSeconds + 258,
      epochSeconds,
    }).split('.')
    expect(Buffer.from(since2011 ?? '', 'base64url')).toEqual(Buffer.from([1, 2]))
  })
})
