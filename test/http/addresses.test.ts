import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AddressList, networkOf, plainAddress } from '../../src/http/addresses.ts'

describe('networkOf', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['2001:DB8:0001:2::9', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['unknown', 'unknown'],
    ['', ''],
  ])('of %j is %j', (address, network) => {
    expect(networkOf(address)).toBe(network)
  })

  it('is the same for all addresses that differ in their last 64 bits only', () => {
    const group = fc.integer({ min: 0, max: 0xffff }).map((value) => value.toString(16))
    const half = fc.tuple(group, group, group, group).map((groups) => groups.join(':'))
    fc.assert(
      fc.property(half, half, half, (network, one, other) => {
        expect(networkOf(`${network}:${one}`)).toBe(networkOf(`${network}:${other}`))
      }),
    )
  })
})

describe('AddressList', () => {
  it.each([
    ['10.1.2.3', '10.1.2.3', true],
    ['10.1.2.3', '10.1.2.4', false],
    ['10.1.2.3', '110.1.2.3', false],
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.1.2.3/8', '10.9.9.9', true],
    ['10.1.2.3/32', '10.1.2.2', false],
    ['0.0.0.0/0', '203.0.113.9', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::1', '0:0:0:0:0:0:0:1', true],
    ['::1', '127.0.0.1', false],
    ['2001:DB8::/32', '2001:db8:1::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['::/0', '2001:db8::1', true],
    ['::/0', '10.1.2.3', false],
  ])('with %s, to include %s is %s', (entry, address, isIncluded) => {
    expect(new AddressList([entry]).includes(address)).toBe(isIncluded)
  })

  it('takes IPv4 addresses in IPv6 clothes for IPv4 addresses', () => {
    const spellings = ['::ffff:10.1.2.3', '::FFFF:a01:203', '0:0:0:0:0:ffff:10.1.2.3']
    for (const spelling of spellings) {
      expect(new AddressList(['10.0.0.0/8']).includes(spelling)).toBe(true)
      expect(new AddressList([spelling]).includes('10.1.2.3')).toBe(true)
    }
    expect(new AddressList(['::ffff:10.0.0.0/104']).includes('10.9.9.9')).toBe(true)
    expect(new AddressList(['::ffff:10.0.0.0/104']).includes('11.9.9.9')).toBe(false)
  })

  it('includes everyone with 0.0.0.0, also peers without an address', () => {
    const everyone = new AddressList(['10.1.2.3', '0.0.0.0'])
    for (const address of ['203.0.113.9', '2001:db8::1', 'unknown', undefined]) {
      expect(everyone.includes(address)).toBe(true)
    }
  })

  it('passes over spaces and empty entries', () => {
    const list = new AddressList([' 10.1.2.3 ', ' ', ' 127.0.0.1', ''])
    expect(list.includes('127.0.0.1')).toBe(true)
    expect(list.includes('10.1.2.3')).toBe(true)
  })

  it('includes nobody without entries', () => {
    const nobody = new AddressList(['', ' '])
    expect(nobody.isEmpty).toBe(true)
    expect(nobody.includes('127.0.0.1')).toBe(false)
    expect(nobody.includes(undefined)).toBe(false)
  })

  it.each([
    'localhost',
    '10.1.2',
    '010.1.2.3',
    '10.1.2.3.4',
    '10.1.2.3/33',
    '10.1.2.3/-1',
    '10.1.2.3/',
    '10.1.2.3/8/8',
    '10.1.2.3/0x8',
    '10.1.2.3/255.0.0.0',
    '10.1.2.3:80',
    '10.1.2.*',
    '::1/129',
    '[::1]',
    'fe80::1%eth0',
    '::ffff:10.1.2.3/64',
    '*',
  ])('refuses the entry %s and names it', (entry) => {
    expect(() => new AddressList(['127.0.0.1', entry])).toThrow(`'${entry}'`)
  })

  it('includes nothing that is no address, and never throws', { timeout: 90_000 }, () => {
    const list = new AddressList(['127.0.0.1', '::1'])
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        fc.pre(text !== '::1')
        expect(list.includes(text)).toBe(false)
      }),
    )
  })

  it('includes every address that it has as an entry', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => {
        expect(new AddressList([address]).includes(address)).toBe(true)
      }),
    )
  })
})

describe('plainAddress', () => {
  it.each([
    ['10.1.2.3', '10.1.2.3'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['::FFFF:a01:203', '10.1.2.3'],
    ['2001:0DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
  ])('writes %s as %s', (address, plain) => {
    expect(plainAddress(address)).toBe(plain)
  })
})
