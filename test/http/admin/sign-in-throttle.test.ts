import { describe, expect, it } from 'vitest'
import { SignInThrottle } from '../../../src/http/admin/sign-in-throttle.ts'
import { ManualClock } from '../../helpers/clock.ts'

const MINUTE_MS = 60_000

function open() {
  const clock = new ManualClock()
  const attempts = new SignInThrottle(clock)
  const fail = (address: string, times: number): void => {
    for (let time = 0; time < times; time++) attempts.failed(address)
  }
  /** One wrong password from each of `count` addresses. */
  const failAround = (count: number, from = 0): void => {
    for (let n = from; n < from + count; n++)
      attempts.failed(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`)
  }
  return { clock, attempts, fail, failAround }
}

describe('the sign-in', () => {
  it('is closed to an address after ten wrong passwords in a minute, and open to others', async () => {
    const { clock, attempts, fail } = open()
    fail('192.0.2.1', 9)
    expect(attempts.isBlocked('192.0.2.1')).toBe(false)
    fail('192.0.2.1', 1)
    expect(attempts.isBlocked('192.0.2.1')).toBe(true)
    expect(attempts.isBlocked('192.0.2.2')).toBe(false)
    await clock.advance(MINUTE_MS - 1)
    expect(attempts.isBlocked('192.0.2.1')).toBe(true)
    await clock.advance(1)
    expect(attempts.isBlocked('192.0.2.1')).toBe(false)
    fail('192.0.2.1', 9)
    expect(attempts.isBlocked('192.0.2.1')).toBe(false)
  })

  it('counts all addresses of an IPv6 network as one', () => {
    const { attempts } = open()
    for (let n = 0; n < 10; n++) attempts.failed(`2001:db8:1:2:${n}::1`)
    expect(attempts.isBlocked('2001:db8:1:2:ffff:ffff:ffff:ffff')).toBe(true)
    expect(attempts.isBlocked('2001:db8:1:3::1')).toBe(false)
  })

  it('is closed to strangers after a hundred wrong passwords from anywhere, until the minute is over', async () => {
    const { clock, attempts, failAround } = open()
    failAround(99)
    expect(attempts.isBlocked('192.0.2.1')).toBe(false)
    failAround(1, 99)
    expect(attempts.isBlocked('192.0.2.1')).toBe(true)
    expect(attempts.isBlocked('unknown')).toBe(true)
    await clock.advance(MINUTE_MS)
    expect(attempts.isBlocked('192.0.2.1')).toBe(false)
  })

  it('stays open then to where somebody has signed in from, who may be wrong ten times as well', () => {
    const { attempts, fail, failAround } = open()
    attempts.succeeded('192.0.2.1')
    attempts.succeeded('2001:db8::1')
    failAround(1000)
    expect(attempts.isBlocked('192.0.2.1')).toBe(false)
    expect(attempts.isBlocked('2001:db8::2')).toBe(false)
    expect(attempts.isBlocked('192.0.2.2')).toBe(true)
    fail('192.0.2.1', 10)
    expect(attempts.isBlocked('192.0.2.1')).toBe(true)
  })

  it('remembers ten thousand addresses that were wrong, and a hundred that were right', () => {
    const { attempts, fail, failAround } = open()
    attempts.succeeded('192.0.2.1')
    fail('192.0.2.1', 10)
    failAround(9_999)
    expect(attempts.isBlocked('192.0.2.1')).toBe(true)
    failAround(1, 9_999)
    expect(attempts.isBlocked('192.0.2.1')).toBe(false)
    for (let n = 0; n < 99; n++) attempts.succeeded(`198.51.100.${n}`)
    expect(attempts.isBlocked('192.0.2.1')).toBe(false)
    attempts.succeeded('198.51.100.99')
    expect(attempts.isBlocked('192.0.2.1')).toBe(true)
  })
})
