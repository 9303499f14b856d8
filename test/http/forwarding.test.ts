import { once } from 'node:events'
import { createServer, type IncomingMessage, request as httpRequest } from 'node:http'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { AddressList } from '../../src/http/addresses.ts'
import {
  type ForwardedView,
  forwardedView,
  type ForwardingRules,
  ownLink,
  provenAddress,
  type Scheme,
  stripPrefix,
} from '../../src/http/forwarding.ts'
import type { AddressInfo } from 'node:net'

const PROXY = '10.0.0.1'
const CLIENT = '203.0.113.9'
const FORWARDED = {
  'x-forwarded-for': '127.0.0.1',
  'x-forwarded-proto': 'https',
  'x-scheme': 'https',
  'x-url-scheme': 'https',
  'x-script-name': '/push',
}

describe('forwardedView', () => {
  it('changes nothing for headers from an address that is not trusted', () => {
    const plain = { address: CLIENT, scheme: 'http', isHttps: false, prefix: '' }
    expect(view({ from: CLIENT, headers: FORWARDED }, [])).toEqual(plain)
    expect(view({ from: CLIENT, headers: FORWARDED }, [PROXY])).toEqual(plain)
    expect(view({ from: undefined, headers: FORWARDED }, [PROXY])).toEqual({
      ...plain,
      address: 'unknown',
    })
  })

  it('believes all of them from a trusted proxy', () => {
    expect(view({ from: PROXY, headers: FORWARDED }, ['10.0.0.0/8'])).toEqual({
      address: '127.0.0.1',
      scheme: 'https',
      isHttps: true,
      prefix: '/push',
    })
  })

  it.each(['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1'])(
    'believes scheme and prefix, but no address, from %s while no proxy is named',
    (from) => {
      const { address, ...rest } = view(
        { from, headers: { ...FORWARDED, 'x-forwarded-for': CLIENT } },
        [],
      )
      expect(rest).toEqual({ scheme: 'https', isHttps: true, prefix: '/push' })
      expect(address).not.toBe(CLIENT)
      const onlyProto = view({ from, headers: { 'x-forwarded-proto': 'https' } }, [])
      expect(onlyProto.scheme).toBe('http')
    },
  )

  it('does not believe this machine any more once proxies are named', () => {
    expect(view({ from: '127.0.0.1', headers: FORWARDED }, [PROXY])).toEqual({
      address: '127.0.0.1',
      scheme: 'http',
      isHttps: false,
      prefix: '',
    })
  })

  it.each([
    [`${CLIENT}`, CLIENT],
    [`127.0.0.1, ${CLIENT}`, CLIENT],
    [`127.0.0.1, ${CLIENT}, 10.0.0.2`, CLIENT],
    [`${CLIENT}, 10.0.0.3, 10.0.0.2`, CLIENT],
    [`::ffff:${CLIENT}`, CLIENT],
    ['2001:DB8::1', '2001:db8::1'],
    ['10.0.0.9', '10.0.0.9'],
    ['', PROXY],
    [`127.0.0.1, garbage`, 'unknown'],
    [`${CLIENT}, <script>`, 'unknown'],
    [`127.0.0.1, ${CLIENT}:80`, CLIENT],
    [`127.0.0.1, ${CLIENT}:80, 10.0.0.2:5678`, CLIENT],
    [`127.0.0.1, [2001:DB8::1]:443`, '2001:db8::1'],
    ['127.0.0.1, [2001:db8::1]', '2001:db8::1'],
    ['127.0.0.1, "[2001:db8::1]"', '2001:db8::1'],
    ['127.0.0.1, "[2001:db8::1]:443"', '2001:db8::1'],
    [`127.0.0.1, "${CLIENT}:1", "[::ffff:10.0.0.2]:1"`, CLIENT],
    [`127.0.0.1,, ${CLIENT}:80 ,\t, `, CLIENT],
    ['127.0.0.1, 2001:db8::1:443', '2001:db8::1:443'],
    ['10.0.0.9:80', '10.0.0.9'],
    [',, ,', PROXY],
  ])('reads X-Forwarded-For %j from the right: %s', (forwardedFor, address) => {
    const headers = { 'x-forwarded-for': forwardedFor }
    expect(view({ from: PROXY, headers }, ['10.0.0.0/8']).address).toBe(address)
  })

  it.each([
    '[127.0.0.1]',
    '[127.0.0.1]:80',
    '127.0.0.1:',
    '127.0.0.1:65536',
    '127.0.0.1:99999999',
    '127.0.0.1:-1',
    '127.0.0.1:80:80',
    '127.0.0.1:http',
    '127.0.0.1 80',
    '127.0.0.01',
    '127.1:80',
    '2130706433:80',
    '[::1',
    '::1]',
    '[[::1]]',
    '[::1]:',
    '[::1]]:1',
    '[]',
    '[]:80',
    '""',
    '"127.0.0.1',
    '127.0.0.1"',
    '""127.0.0.1""',
    '"127.0.0.1":80',
    "'127.0.0.1'",
    'for=127.0.0.1',
    'unknown',
    '_hidden:80',
    `${'['.repeat(8000)}`,
  ])('takes no address from %j, nor one from the left of it', (entry) => {
    for (const list of [entry, `127.0.0.1, ${entry}`, `127.0.0.1, ${entry}, 10.0.0.2:1`])
      expect(
        view({ from: PROXY, headers: { 'x-forwarded-for': list } }, ['10.0.0.0/8']).address,
      ).toBe('unknown')
  })

  it('reads no entry with a port from an address that is not trusted', () => {
    const headers = { 'x-forwarded-for': '127.0.0.1:80' }
    expect(view({ from: CLIENT, headers }, [PROXY]).address).toBe(CLIENT)
    expect(view({ from: CLIENT, headers }, []).address).toBe(CLIENT)
  })

  it('writes IPv4 addresses as such on a socket of both kinds', () => {
    expect(view({ from: `::ffff:${CLIENT}` }, []).address).toBe(CLIENT)
  })

  it.each([
    [{}, 'http'],
    [{ 'x-scheme': 'https' }, 'https'],
    [{ 'x-scheme': ' HTTPS ' }, 'https'],
    [{ 'x-scheme': 'wss' }, 'https'],
    [{ 'x-scheme': 'ws' }, 'http'],
    [{ 'x-scheme': 'https', 'x-url-scheme': 'http' }, 'http'],
    [{ 'x-scheme': 'https', 'x-url-scheme': 'javascript' }, 'https'],
    [{ 'x-forwarded-proto': 'http', 'x-url-scheme': 'https', 'x-scheme': 'https' }, 'http'],
    [{ 'x-forwarded-proto': 'https, http' }, 'http'],
    [{ 'x-forwarded-proto': 'http, https' }, 'https'],
    [{ 'x-forwarded-proto': 'https,' }, 'http'],
    [{ 'x-scheme': 'javascript' }, 'http'],
    [{ 'x-scheme': 'https, https' }, 'http'],
    [{ 'x-scheme': 'https://evil.net/?' }, 'http'],
    [{ 'x-scheme': '' }, 'http'],
  ])('reads the scheme of %j as %s', (headers, scheme) => {
    expect(view({ from: PROXY, headers }, [PROXY]).scheme).toBe(scheme)
  })

  it('lets the setting http_scheme say the scheme of links where no proxy does', () => {
    const rules = { trustedProxies: new AddressList([PROXY]), httpScheme: 'https' }
    expect(forwardedView(aRequest({ from: CLIENT }), rules).scheme).toBe('https')
    expect(forwardedView(aRequest({ from: CLIENT }), rules).isHttps).toBe(false)
    const headers = { 'x-forwarded-proto': 'http' }
    expect(forwardedView(aRequest({ from: PROXY, headers }), rules).scheme).toBe('http')
    const encrypted = { 'x-forwarded-proto': 'https' }
    expect(forwardedView(aRequest({ from: PROXY, headers: encrypted }), rules).isHttps).toBe(true)
    expect(forwardedView(aRequest({ from: CLIENT }), { ...rules, httpScheme: '' }).scheme).toBe(
      'http',
    )
  })

  it('sees that the connection itself is encrypted', () => {
    expect(view({ from: CLIENT, encrypted: true }, []).scheme).toBe('https')
  })

  it.each([
    ['/push', '/push'],
    ['/a/b.c-d_e~f', '/a/b.c-d_e~f'],
    ['/push/', '/push'],
    ['/a%20b', '/a%20b'],
    ['', ''],
    ['/', ''],
    ['push', ''],
    ['//evil.net', ''],
    ['/push//x', ''],
    ['/push//', ''],
    ['/\\evil.net', ''],
    ['/push?x', ''],
    ['/push#x', ''],
    ['/push x', ''],
    ['/pu\tsh', ''],
    ['/pu\0sh', ''],
    ['/pu\r\nsh', ''],
    ['/push/../x', ''],
    ['/..', ''],
    ['/./x', ''],
    ['/"><script>', ''],
    ['/püsh', ''],
    ['/push, /push', ''],
    ['https://evil.net', ''],
    [`/${'x'.repeat(255)}`, `/${'x'.repeat(255)}`],
    [`/${'x'.repeat(256)}`, ''],
  ])('reads the prefix %j as %j', (name, prefix) => {
    expect(view({ from: PROXY, headers: { 'x-script-name': name } }, [PROXY]).prefix).toBe(prefix)
  })

  it(
    'never throws, and answers in its own terms, whatever the headers',
    { timeout: 90_000 },
    () => {
      const anyHeaders = fc.record({
        'x-forwarded-for': fc.string({ unit: 'binary' }),
        'x-forwarded-proto': fc.string({ unit: 'binary' }),
        'x-scheme': fc.string({ unit: 'binary' }),
        'x-script-name': fc.string({ unit: 'binary' }).map((text) => `/${text}`),
      })
      fc.assert(
        fc.property(anyHeaders, fc.boolean(), (headers, isTrusted) => {
          const { address, scheme, prefix } = view(
            { from: PROXY, headers },
            isTrusted ? ['0.0.0.0'] : [],
          )
          expect(address).toMatch(/^([\d.]+|[\da-f:]+|unknown)$/)
          expect(scheme).toMatch(/^https?$/)
          expect(prefix).toMatch(/^$|^\/[^/\\?#\s"'<>]/)
        }),
      )
    },
  )

  it('holds for requests that came over a socket', async () => {
    const rules = { trustedProxies: new AddressList(['127.0.0.1']) }
    const seen = await viewOverSocket(rules, ['127.0.0.1', `${CLIENT}, 127.0.0.1`])
    expect(seen).toEqual({ address: CLIENT, scheme: 'http', isHttps: false, prefix: '' })
  })
})

describe('stripPrefix', () => {
  it.each([
    ['/push/connect', '/push', '/connect'],
    ['/push/connect?x=/push', '/push', '/connect?x=/push'],
    ['/push', '/push', '/'],
    ['/push/', '/push', '/'],
    ['/push?x=1', '/push', '/?x=1'],
    ['/connect', '/push', '/connect'],
    ['/pushed/connect', '/push', '/pushed/connect'],
    ['/PUSH/connect', '/push', '/PUSH/connect'],
    ['/x/push/connect', '/push', '/x/push/connect'],
    ['/push/push/connect', '/push', '/push/connect'],
    ['/connect', '', '/connect'],
    ['*', '/push', '*'],
  ])('from %s takes %j, which leaves %s', (url, prefix, rest) => {
    expect(stripPrefix(url, prefix)).toBe(rest)
  })
})

describe('provenAddress', () => {
  const proven = (parts: RequestParts, trusted: string[] = []) => {
    const rules = { trustedProxies: new AddressList(trusted) }
    const request = aRequest(parts)
    return provenAddress(request, forwardedView(request, rules), rules)
  }

  it.each(['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1'])(
    'is %s for who asks there',
    (from) => {
      const headers = {
        host: 'x',
        accept: '*/*',
        'user-agent': 'Prometheus/3',
        'x-prometheus-scrape': '9',
      }
      expect(proven({ from, headers })).toBe(from.replace('::ffff:', ''))
      expect(proven({ from, headers }, [PROXY])).toBe(from.replace('::ffff:', ''))
    },
  )

  it.each([
    'via',
    'forwarded',
    'x-forwarded-for',
    'x-forwarded-host',
    'x-forwarded-proto',
    'x-forwarded-port',
    'x-forwarded-server',
    'x-real-ip',
    'x-client-ip',
    'x-cluster-client-ip',
    'true-client-ip',
    'cf-connecting-ip',
    'fastly-client-ip',
    'x-scheme',
    'x-url-scheme',
    'x-script-name',
  ])('is not known of a request with %s that a proxy on this machine passed on', (name) => {
    const headers = { [name]: '127.0.0.1' }
    for (const from of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) {
      expect(proven({ from, headers }), from).toBe('unknown')
      expect(proven({ from, headers }, [PROXY]), from).toBe('unknown')
    }
  })

  it('is what a trusted proxy says, also where that is this machine', () => {
    const from = '127.0.0.1'
    const headers = { via: '1.1 x', 'x-forwarded-for': from }
    expect(proven({ from, headers }, [from])).toBe(from)
    expect(proven({ from, headers: { ...headers, 'x-forwarded-for': CLIENT } }, [from])).toBe(
      CLIENT,
    )
  })

  it('is not known if a trusted proxy does not say it', () => {
    const from = '127.0.0.1'
    for (const headers of [{ via: '1.1 x' }, { 'x-forwarded-proto': 'https' }])
      expect(proven({ from, headers }, [from])).toBe('unknown')
  })

  it('is that of the peer, if that is another machine', () => {
    expect(proven({ from: CLIENT, headers: { via: '1.1 x' } })).toBe(CLIENT)
    expect(
      proven({ from: CLIENT, headers: { ...FORWARDED, 'x-forwarded-for': '127.0.0.1' } }),
    ).toBe(CLIENT)
  })
})

describe('ownLink', () => {
  const link = ({
    scheme = 'http',
    prefix = '',
    host = '',
    at = '127.0.0.1',
    encrypted = false,
  }) => {
    const socket = { localAddress: at, localPort: 8000, ...(encrypted && { encrypted }) }
    const request = { headers: { host }, socket } as unknown as IncomingMessage
    const seen = { address: CLIENT, scheme: scheme as Scheme, isHttps: false, prefix }
    return ownLink(request, seen, '/admin/sign_in')
  }

  it('is the path as the client sees it', () => {
    expect(link({})).toBe('/admin/sign_in')
    expect(link({ prefix: '/push' })).toBe('/push/admin/sign_in')
    expect(link({ host: '127.0.0.1:8000' })).toBe('/admin/sign_in')
    expect(link({ host: '127.0.0.1:8000', scheme: 'https', encrypted: true })).toBe(
      '/admin/sign_in',
    )
  })

  it.each([
    ['127.0.0.1:8000', '127.0.0.1'],
    ['127.0.0.1:8000', '::ffff:127.0.0.1'],
    ['[::1]:8000', '::1'],
    ['[2001:db8::1]:8000', '2001:db8:0::1'],
  ])(
    'has scheme and host if a scheme is told and %s is the address of the connection',
    (host, at) => {
      const told = { scheme: 'https', prefix: '/push', host, at }
      expect(link(told)).toBe(`https://${host}/push/admin/sign_in`)
    },
  )

  it.each([
    'evil.net',
    'evil.net:8000',
    '127.0.0.1',
    '127.0.0.1:8001',
    '127.0.0.1:8000.evil.net',
    'evil.net#127.0.0.1:8000',
    '127.0.0.2:8000',
    '::1:8000',
    'localhost:8000',
    ' 127.0.0.1:8000',
    '',
  ])('names no other host, as %j', (host) => {
    expect(link({ host, scheme: 'https', prefix: '/push' })).toBe('/push/admin/sign_in')
    expect(link({ host, scheme: 'https', at: '' })).toBe('/admin/sign_in')
  })

  it('leads to the host that was asked and fits in a header, whatever a proxy calls the prefix', () => {
    const hostile = fc.constantFrom('//evil.net', '/\\evil.net', '/\t/evil.net', 'https://evil.net')
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), hostile), (prefix) => {
        const seen = view({ from: PROXY, headers: { 'x-script-name': prefix } }, [PROXY])
        const path = link({ prefix: seen.prefix })
        expect(path).toMatch(/^\/[\x21-\x7e]*$/)
        expect(new URL(path, 'http://example.com').host).toBe('example.com')
      }),
    )
  })
})

interface RequestParts {
  from: string | undefined
  headers?: Record<string, string>
  encrypted?: true
}

function aRequest({ from, headers = {}, encrypted }: RequestParts): IncomingMessage {
  const socket = encrypted ? { remoteAddress: from, encrypted } : { remoteAddress: from }
  return { headers, socket } as unknown as IncomingMessage
}

function view(parts: RequestParts, trusted: string[]): ForwardedView {
  return forwardedView(aRequest(parts), { trustedProxies: new AddressList(trusted) })
}

/** Returns how a server sees a request with these `X-Forwarded-For` headers, one line each. */
async function viewOverSocket(
  rules: ForwardingRules,
  forwardedFor: string[],
): Promise<ForwardedView> {
  const server = createServer((request, response) => {
    response.end(JSON.stringify(forwardedView(request, rules)))
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const outgoing = httpRequest({
    port,
    host: '127.0.0.1',
    agent: false,
    headers: { 'x-forwarded-for': forwardedFor },
  })
  const [response] = (await once(outgoing.end(), 'response')) as [IncomingMessage]
  return JSON.parse((await response.toArray()).join('')) as ForwardedView
}
