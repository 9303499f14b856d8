import { describe, expect, it } from 'vitest'
import { parseConfig, type ConfigInput } from '../../src/config/load.ts'

function faultOf(settings: ConfigInput): string {
  try {
    parseConfig(settings)
  } catch (error) {
    return String(error)
  }
  return 'no fault'
}

describe('values', () => {
  it.each(['true', 'YES', 'On', 'y', 'T', '1', ' true ', true])('reads %j as true', (debug) => {
    expect(parseConfig({ debug }).debug).toBe(true)
  })

  it.each(['false', 'NO', 'Off', 'n', 'F', '0', false])('reads %j as false', (given) => {
    expect(parseConfig({ validate_requests: given }).validate_requests).toBe(false)
  })

  it.each(['maybe', '2', 'tru', 'null'])('refuses %j for true or false', (debug) => {
    expect(faultOf({ debug })).toContain(`debug: invalid value "${debug}", expected true or false`)
  })

  it.each(['0', '65535', '+80', 0, 65_535])('takes the port %j', (port) => {
    expect(parseConfig({ port }).port).toBe(Number(port))
  })

  it.each(['65536', '-1', '80.5', '1e3', '0x50', '8 000', '9'.repeat(400), 80.5, NaN, Infinity])(
    'refuses the port %j',
    (port) => {
      expect(faultOf({ port })).toContain('expected a whole number from 0 to 65535')
    },
  )

  it('takes fractions of seconds, and no heartbeat without a pause', () => {
    expect(parseConfig({ poll_gather: '.25', heartbeat_interval: '0.5' })).toMatchObject({
      poll_gather: 0.25,
      heartbeat_interval: 0.5,
    })
    for (const heartbeat_interval of ['0', '-1', '1e3', '5s', 'Infinity', '99999999999']) {
      expect(faultOf({ heartbeat_interval })).toContain('expected seconds')
    }
  })

  it('splits lists at commas and line ends and passes empty parts over', () => {
    const allow_posting_from = ' 10.1.2.3 , ,127.0.0.1,\n 10.0.0.0/8,\n\nfd00::/8,\n'
    expect(parseConfig({ allow_posting_from }).allow_posting_from).toEqual([
      '10.1.2.3',
      '127.0.0.1',
      '10.0.0.0/8',
      'fd00::/8',
    ])
    expect(parseConfig({ allow_posting_from: ['::1', ' '] }).allow_posting_from).toEqual(['::1'])
  })

  it('lets a typed empty list be empty and an empty text be the default', () => {
    expect(parseConfig({ allow_posting_from: [] }).allow_posting_from).toEqual([])
    expect(parseConfig({ allow_posting_from: ' , ' }).allow_posting_from).toEqual(['127.0.0.1'])
  })

  it.each([
    'localhost',
    '10.0.0.0/33',
    '::/129',
    '1.2.3',
    'fe80::1%eth0',
    '10.0.0.1/',
    '1.1.1.1/8/8',
  ])('names the entry %j, which is no address', (entry) => {
    const fault = faultOf({ allow_posting_from: `127.0.0.1, ${entry}` })
    expect(fault).toContain(
      `allow_posting_from: invalid value "${entry}", expected addresses or CIDR blocks`,
    )
  })

  it('takes the absolute path of a Unix domain socket as a host, and a mode for it', () => {
    const host = 'unix:/run/channelstream/http.sock'
    expect(parseConfig({ host: ` ${host} ` }).host).toBe(host)
    const paths = ['', 'a', '/', '/a/', '//', '/a\nb', `/${'ä'.repeat(52)}`]
    for (const path of paths)
      expect(faultOf({ host: `unix:${path}` })).toContain('expected an address such as 127.0.0.1')
    expect(parseConfig({ host: `unix:/${'a'.repeat(102)}` }).host).toHaveLength(108)
    expect(faultOf({ host: `unix:/${'a'.repeat(103)}` })).toContain('unix: and the absolute path')
    expect(faultOf({ philote_host: host })).toContain('philote_host: invalid value')
    expect(parseConfig({ unix_socket_mode: '600' }).unix_socket_mode).toBe('0600')
    for (const mode of ['66', '6600', '0o660', '668', 'u=rw'])
      expect(faultOf({ unix_socket_mode: mode })).toContain('expected three octal digits')
  })

  it('takes hosts and origins for allow_cors, a leading dot and a last slash aside', () => {
    const allow_cors =
      'Example.com, .example.org, https://a.b:8443/, localhost:3000, [::1]:80, null, *'
    expect(parseConfig({ allow_cors }).allow_cors).toEqual([
      'Example.com',
      'example.org',
      'https://a.b:8443',
      'localhost:3000',
      '[::1]:80',
      'null',
      '*',
    ])
    expect(parseConfig({ allow_cors: 'app://., app://./, file://, file:///' }).allow_cors).toEqual([
      'app://.',
      'app://.',
      'file://',
      'file://',
    ])
    for (const entry of ['https://a.b/path', 'a b', '*.example.com', 'a@b', 'https://']) {
      expect(faultOf({ allow_cors: entry })).toContain(
        `invalid value ${JSON.stringify(entry)}, expected hosts`,
      )
    }
  })

  it.each([
    ['*.example.com', 'a host includes its subdomains, so leave out *.'],
    ['https://a.b/app', 'an origin has no path'],
    ['a.b/app', 'an origin has no path'],
    ['file:///home/ann', 'an origin has no path'],
    ['https://', 'only file:// has no host'],
    ['app://', 'only file:// has no host'],
    ['example.com.', 'leave out the dot at the end'],
    ["'example.com'", 'leave out the quotes'],
  ])('says what is wrong with %s in allow_cors', (entry, advice) => {
    const fault = faultOf({ allow_cors: `good.example, ${entry}` })
    expect(fault).toContain(`invalid value "${entry}", expected hosts`)
    expect(fault).toContain(`; ${advice}`)
  })

  it.each(['0.0.0.0', '::', '192.168.1.2', 'localhost', 'push.example.com', 'my_host'])(
    'takes the host %j',
    (host) => {
      expect(parseConfig({ host }).host).toBe(host)
    },
  )

  it.each(['http://a', 'a:80', '[::]', '1.2.3', 'a b', '999.1.1.1', '-a'])(
    'refuses the host %j',
    (host) => {
      expect(faultOf({ host })).toContain('expected an address')
    },
  )

  it.each([
    ['INFO', 'info'],
    ['warning', 'warn'],
    ['Critical', 'fatal'],
    ['silent', 'silent'],
    ['trace', 'trace'],
  ])('reads the log level %s as %s', (log_level, expected) => {
    expect(parseConfig({ log_level }).log_level).toBe(expected)
  })

  it('knows the built-in signature checker by its old name', () => {
    const signature_checker = 'channelstream.utils.DefaultSigner'
    expect(parseConfig({ signature_checker }).signature_checker).toBe('')
    expect(parseConfig({ signature_checker: './mine.mjs' }).signature_checker).toBe('./mine.mjs')
  })

  it.each(['p@ss wörd&=', 'Ünï-sécret 42', '#;%', 'x'.repeat(10_000)])(
    'keeps the secret as it is',
    (secret) => {
      expect(parseConfig({ secret }).secret).toBe(secret)
    },
  )

  it('refuses a secret that goes over lines, without showing it', () => {
    const fault = faultOf({ secret: 'hunter2\nport = 8000' })
    expect(fault).toContain('secret: expected text on one line')
    expect(fault).not.toContain('hunter2')
  })

  it.each([
    ['old', ['old']],
    ['a, b; c\n #d ', ['a, b; c', ' #d ']],
    ['\n\none\r\ntwo\n \n', ['one', 'two']],
    ['', []],
    [
      ['one', '', 'two words'],
      ['one', 'two words'],
    ],
  ])('reads the fallbacks of a secret from lines: %j', (given, fallbacks) => {
    const name = 'secret_fallbacks'
    expect(parseConfig({ [name]: given }).secret_fallbacks).toEqual(fallbacks)
  })

  it('refuses too many fallbacks, and those that are no text, without showing them', () => {
    const eleven = Array.from({ length: 11 }, (_, n) => `hunter${n}`)
    expect(parseConfig({ secret_fallbacks: eleven.slice(1) }).secret_fallbacks).toHaveLength(10)
    for (const given of [eleven, eleven.join('\n'), ['hunter\n2'], ['hunter\0'], [7], 7]) {
      const fault = faultOf({ secret_fallbacks: given as never })
      expect(fault).toContain('secret_fallbacks: expected up to 10 texts, one on each line')
      expect(fault).not.toContain('hunter')
    }
  })

  it.each([
    ['0', 0],
    ['0.2', 0.2],
    ['1000000', 1_000_000],
    [5, 5],
  ])('reads %j messages per second', (given, rate) => {
    expect(parseConfig({ message_rate_per_user: given }).message_rate_per_user).toBe(rate)
  })

  it.each(['-1', '1e3', '1000001', 'many', '1/s'])('refuses %j messages per second', (given) => {
    expect(faultOf({ message_rate_per_user: given })).toContain('expected a number per second')
  })

  it('reads names from a list', () => {
    const read = (unlimited_users: string) => parseConfig({ unlimited_users }).unlimited_users
    expect(read('system, a bot\n  ann ')).toEqual(['system', 'a bot', 'ann'])
    expect(read('')).toEqual([])
  })

  it('shows only the beginning of a long value', () => {
    expect(faultOf({ host: '!'.repeat(5000) }).length).toBeLessThan(400)
  })
})
