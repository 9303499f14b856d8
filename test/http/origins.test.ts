import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FIXED_CORS_HEADERS, OriginRules } from '../../src/http/origins.ts'

describe('OriginRules', () => {
  it.each([
    ['example.com', 'http://example.com', true],
    ['example.com', 'https://app.example.com', true],
    ['example.com', 'https://a.b.example.com:8443', true],
    ['Example.COM', 'http://EXAMPLE.com', true],
    ['example.com', 'http://example.com.evil.net', false],
    ['example.com', 'https://good.example.com.evil.tld', false],
    ['example.com', 'http://notexample.com', false],
    ['example.com', 'http://com', false],
    ['example.com', 'http://evil.net', false],
    ['example.com:8080', 'http://example.com:8080', true],
    ['example.com:8080', 'http://app.example.com:8080', true],
    ['example.com:8080', 'http://example.com', false],
    ['example.com:8080', 'http://example.com:80800', false],
    ['example.com:443', 'https://example.com', true],
    ['example.com:443', 'http://example.com', false],
    ['https://app.example.com', 'https://app.example.com', true],
    ['https://app.example.com', 'https://app.example.com:443', true],
    ['https://app.example.com:443', 'https://app.example.com', true],
    ['https://app.example.com', 'http://app.example.com', false],
    ['https://app.example.com', 'https://app.example.com:8443', false],
    ['https://app.example.com', 'https://www.app.example.com', false],
    ['https://app.example.com:8443', 'https://app.example.com:8443', true],
    ['https://app.example.com:8443', 'https://app.example.com', false],
    ['capacitor://localhost', 'capacitor://localhost', true],
    ['capacitor://localhost', 'http://localhost', false],
    ['capacitor://localhost', 'ionic://localhost', false],
    ['ionic://localhost', 'ionic://localhost', true],
    ['tauri://localhost', 'tauri://localhost', true],
    ['https://tauri.localhost', 'https://tauri.localhost', true],
    ['app://.', 'app://.', true],
    ['APP://.', 'app://.', true],
    ['app://.', 'other://.', false],
    ['app://.', 'app://x', false],
    ['app://.', 'app://', false],
    ['app://.', 'file://', false],
    ['app://-', 'app://-', true],
    ['file://', 'file://', true],
    ['FILE://', 'file://', true],
    ['file://', 'null', false],
    ['file://', 'file:///', false],
    ['file://', 'file://server', false],
    ['file://', 'http://', false],
    ['null', 'file://', false],
    ['example.com', 'file://', false],
    ['example.com', 'app://.', false],
    ['localhost', 'capacitor://localhost', true],
    ['chrome-extension://abcdefghijklmnopabcdefghijklmnop', 'chrome-extension://abcdefghijklmnopabcdefghijklmnop', true], // prettier-ignore
    ['chrome-extension://abcdefghijklmnopabcdefghijklmnop', 'chrome-extension://bbcdefghijklmnopabcdefghijklmnop', false], // prettier-ignore
    ['moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc', 'moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc', true], // prettier-ignore
    ['safari-web-extension://2C127FA4-62C7-7E4F-90E5-472B45EECFDC', 'safari-web-extension://2C127FA4-62C7-7E4F-90E5-472B45EECFDC', true], // prettier-ignore
    ['HTTPS://App.Example.com', 'https://app.example.com', true],
    ['http://app.example.com:80', 'http://app.example.com', true],
    ['http://app.example.com:443', 'http://app.example.com', false],
    ['https://[::1]', 'https://[::1]', true],
    ['https://[::1]', 'https://[::1]:443', true],
    ['https://[0:0::1]:8443', 'https://[::1]:8443', true],
    ['https://[::1]:8443', 'https://[::1]', false],
    ['münchen.de', 'https://www.xn--mnchen-3ya.de', true],
    ['xn--mnchen-3ya.de', 'https://xn--mnchen-3ya.de', true],
    ['https://MÜNCHEN.de', 'https://xn--mnchen-3ya.de', true],
    ['127.0.0.1', 'http://127.0.0.1:3000', true],
    ['127.0.0.1', 'http://27.0.0.1', false],
    ['::1', 'http://[::1]:3000', true],
    ['[::1]:3000', 'http://[0:0::1]:3000', true],
    ['localhost', 'http://localhost:5173', true],
    ['null', 'null', true],
    ['example.com', 'null', false],
    ['null', 'http://null', false],
    ['*', 'http://anything.test', true],
    ['*', 'null', true],
  ])('with %s, to let %s in is %s', (entry, origin, isLetIn) => {
    const rules = new OriginRules(['other.test', entry])
    expect(rules.allowHeader(origin)).toBe(isLetIn ? '*' : undefined)
    expect(rules.refuses(origin)).toBe(!isLetIn)
  })

  it.each([
    '',
    'example.com',
    '//example.com',
    'http://',
    'http://example.com.',
    'http://example.com..',
    'http://.example.com',
    'http://example.com/',
    'http://example.com:',
    'http://example.com:99999',
    'http://example.com:80:80',
    'http://evil.net@example.com',
    'http://evil.net\\.example.com',
    'http://evil.net#.example.com',
    'http://evil.net?.example.com',
    'http://ex%61mple.com',
    'http://evil.net http://example.com',
    'http://example.com,http://evil.net',
    ' http://example.com',
    'http://example.com\0',
    'http://exa\tmple.com',
    'http://[::1].example.com',
    `http://${'a.'.repeat(500)}example.com`,
    'NULL',
    'http://*.example.com',
  ])('refuses the origin %j as unreadable', (origin) => {
    const rules = new OriginRules(['example.com', 'null'])
    expect(rules.allowHeader(origin)).toBeUndefined()
    expect(rules.refuses(origin)).toBe(true)
  })

  it('gives a request without Origin no header and does not refuse it', () => {
    const rules = new OriginRules(['example.com'])
    expect(rules.allowHeader(undefined)).toBeUndefined()
    expect(rules.refuses(undefined)).toBe(false)
  })

  it.each([[[]], [['', ' ']], [['*']]])('lets everything in with the entries %j', (entries) => {
    const rules = new OriginRules(entries)
    for (const origin of ['http://anything.test', 'null', 'junk', '', undefined]) {
      expect(rules.allowHeader(origin)).toBe('*')
      expect(rules.refuses(origin)).toBe(false)
    }
  })

  it.each([
    '*.example.com',
    'https://*.example.com',
    '.example.com',
    'example.com.',
    'example.com/',
    'https://example.com/app',
    'user@example.com',
    'example.com:99999',
    'example.com:http',
    'two words',
    'http://',
    'https:///',
    'app://',
    'app://..',
    'http://.',
    'https://.',
    '.',
    'file:',
    'file:///home/ann/page.html',
    'capacitor:/localhost',
    'chrome-extension://*',
    '[::1',
  ])('refuses the entry %s and names it', (entry) => {
    expect(() => new OriginRules(['example.com', entry])).toThrow(`'${entry}'`)
  })

  it('lets no host in that only contains or begins with a listed one', () => {
    const rules = new OriginRules(['example.com'])
    const label = fc.stringMatching(/^[a-z\d]{1,10}$/)
    fc.assert(
      fc.property(label, (word) => {
        expect(rules.refuses(`https://${word}example.com`)).toBe(true)
        expect(rules.refuses(`https://example.com${word}`)).toBe(true)
        expect(rules.refuses(`https://example.com.${word}`)).toBe(true)
        expect(rules.refuses(`https://${word}.example.com`)).toBe(false)
      }),
    )
  })

  it('refuses any text that is not an origin it knows, and never throws', () => {
    const rules = new OriginRules(['example.com', 'https://app.example.org'])
    const text = fc.string({ unit: 'binary' })
    fc.assert(
      fc.property(
        fc.oneof(
          text,
          fc.webUrl(),
          text.map((host) => `http://${host}`),
        ),
        (origin) => {
          fc.pre(!/example\.(com|org)/i.test(origin))
          expect(rules.refuses(origin)).toBe(true)
        },
      ),
    )
  })
})

describe('FIXED_CORS_HEADERS', () => {
  it('does not allow an origin or credentials by itself, and cannot be changed', () => {
    expect(FIXED_CORS_HEADERS).not.toHaveProperty('access-control-allow-origin')
    expect(FIXED_CORS_HEADERS).not.toHaveProperty('access-control-allow-credentials')
    expect(Object.isFrozen(FIXED_CORS_HEADERS)).toBe(true)
  })
})
