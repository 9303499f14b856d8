import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isCallbackName, wrapJsonp } from '../../src/http/jsonp.ts'

describe('isCallbackName', () => {
  it.each([
    'cb',
    '_',
    '$',
    'a.b_c.$d',
    'jQuery36001_16',
    'handlers[0]',
    'a[0].b[12][3]',
    'if',
    'x'.repeat(128),
  ])('accepts %s', (text) => {
    expect(isCallbackName(text)).toBe(true)
  })

  it.each([
    '',
    '1a',
    'a.',
    '.a',
    'a..b',
    'a b',
    'a[b]',
    'a[]',
    'a[-1]',
    '[0]',
    "a['b']",
    'alert(1)//',
    'a;b',
    'a=b',
    'a\n',
    'a\u2028',
    'ä',
    'a/**/',
    '<script>alert(1)</script>',
    'a\0',
    'x'.repeat(129),
    'x'.repeat(1_000_000),
    'a['.repeat(60),
  ])('refuses %j', (text) => {
    expect(isCallbackName(text)).toBe(false)
  })
})

describe('wrapJsonp', () => {
  it('writes the callback, the JSON in parentheses, and nothing else', () => {
    expect(wrapJsonp('cb', '[{"type":"message"}]')).toBe('cb([{"type":"message"}])')
  })

  it('escapes what could end a script or a line of it', () => {
    const json = JSON.stringify(['</script><!--', '\u2028\u2029'])
    expect(wrapJsonp('cb', json)).toBe(String.raw`cb(["\u003c/script>\u003c!--","\u2028\u2029"])`)
  })

  it('hands the callback the same value, whatever it is', () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: 'binary' }), (json) => {
        const script = wrapJsonp('cb', json)
        expect(script).not.toMatch(/[<\u2028\u2029]/)
        const received = runInNewContext(script, {
          cb: (value: unknown) => JSON.stringify(value),
        }) as string
        // JSON.parse reads `__proto__` as a key, a script as the prototype. No event has such a key.
        fc.pre(!json.includes('__proto__'))
        expect(received).toBe(JSON.stringify(JSON.parse(json)))
      }),
    )
  })

  it('refuses a callback that is no name', () => {
    expect(() => wrapJsonp('alert(1);cb', '[]')).toThrow(RangeError)
  })
})
