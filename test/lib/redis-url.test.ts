import { describe, expect, it } from 'vitest'
import { parseRedisUrl, shownAddress, shownEndpoint } from '../../src/lib/redis-url.ts'
import { faultsOf, load, section } from '../config/loading.ts'
import type { RedisAddress } from '../../src/lib/redis-url.ts'

const SINGLE: RedisAddress = {
  kind: 'single',
  endpoints: [{ host: 'localhost', port: 6379 }],
  ...{ master: '', tls: false, username: '', password: '', database: 0 },
}

describe('the address of a Redis', () => {
  it.each<[string, Partial<RedisAddress>]>([
    ['redis://localhost', {}],
    ['redis://localhost/', {}],
    ['redis://localhost:7000', { endpoints: [{ host: 'localhost', port: 7000 }] }],
    ['redis://10.0.0.5:6379/3', { endpoints: [{ host: '10.0.0.5', port: 6379 }], database: 3 }],
    ['redis://[::1]:7000/1', { endpoints: [{ host: '::1', port: 7000 }], database: 1 }],
    ['rediss://localhost', { tls: true }],
    ['redis://:secret@localhost', { password: 'secret' }],
    ['redis://ann:secret@localhost', { username: 'ann', password: 'secret' }],
    ['redis://ann@localhost', { username: 'ann' }],
    ['redis://ann:a%3Ab%40c%2Fd%25@localhost', { username: 'ann', password: 'a:b@c/d%' }],
    ['redis://:a:b@localhost', { password: 'a:b' }],
    ['redis://a%C3%BC:%F0%9F%98%80@localhost', { username: 'aü', password: '😀' }],
    ['unix:///run/redis.sock', { endpoints: [{ path: '/run/redis.sock' }] }],
    [
      'unix:///run/my%20redis.sock?db=2',
      { endpoints: [{ path: '/run/my redis.sock' }], database: 2 },
    ],
    [
      'unix://:secret@/run/redis.sock',
      { endpoints: [{ path: '/run/redis.sock' }], password: 'secret' },
    ],
    ['redis+unix:///run/redis.sock', { endpoints: [{ path: '/run/redis.sock' }] }],
    [
      'redis+sentinel://one:1,two/main/4',
      {
        ...{ kind: 'sentinel', master: 'main', database: 4 },
        endpoints: [
          { host: 'one', port: 1 },
          { host: 'two', port: 26379 },
        ],
      },
    ],
    [
      'rediss+cluster://ann:secret@one,two:7001',
      {
        ...{ kind: 'cluster', tls: true, username: 'ann', password: 'secret' },
        endpoints: [
          { host: 'one', port: 6379 },
          { host: 'two', port: 7001 },
        ],
      },
    ],
  ])('%s', (url, expected) => {
    expect(parseRedisUrl(url)).toEqual({ ...SINGLE, ...expected })
    expect(
      load({ ini: section(`redis_url = ${url.replaceAll('%', '%%')}`) }).config.redis_url,
    ).toBe(url)
  })

  it.each([
    ['', 'nothing'],
    ['localhost:6379', 'no scheme'],
    ['http://localhost', 'another scheme'],
    ['redis://', 'no host'],
    ['redis://:secret@', 'no host'],
    ['redis://localhost:0', 'no port'],
    ['redis://localhost:65536', 'no port'],
    ['redis://localhost:port', 'no port'],
    ['redis://localhost/main', 'no database'],
    ['redis://localhost/-1', 'no database'],
    ['redis://one,two', 'several without a Cluster'],
    ['redis://::1', 'brackets are missing'],
    ['redis://ann:%zz@localhost', 'a broken escape'],
    ['unix://', 'no path'],
    ['unix://host/run/redis.sock', 'a host before a path'],
    ['unix:///run/redis.sock?db=x', 'no database'],
    ['unix:///run/%zz.sock', 'a broken escape'],
    ['redis+sentinel://one', 'no master'],
    ['redis+sentinel://one/%zz', 'a broken escape'],
    ['redis+cluster://one/1', 'a database of a Cluster'],
    ['redis+cluster://one,', 'an empty node'],
    ['redis://localhost\nredis://other', 'two lines'],
  ])('is not %j: %s', (url) => {
    expect(parseRedisUrl(url)).toBeUndefined()
  })

  it('is shown without user and password, and a fault in it tells nothing of it', () => {
    for (const url of [
      'redis://ann:hunter2@localhost',
      'unix://ann:hunter2@/run/redis.sock',
      'redis+sentinel://ann:hunter2@one,two/main',
      'rediss+cluster://ann:hunter2@one,two',
    ]) {
      const address = parseRedisUrl(url) as RedisAddress
      const shown = [shownAddress(address), ...address.endpoints.map(shownEndpoint)].join('\n')
      expect(shown).toMatch(/localhost:6379|\/run\/redis.sock|one:\d+, two:\d+/)
      expect(shown).not.toMatch(/ann|hunter2/)
      const [fault = ''] = faultsOf({ env: { CHANNELSTREAM_REDIS_URL: `x${url}` } })
      expect(fault).toContain('CHANNELSTREAM_REDIS_URL')
      expect(fault).not.toMatch(/hunter2/)
    }
  })

  it.each([
    'redis://ann:hun@ter2@localhost',
    'redis://ann:hun@ter2?x@localhost',
    'redis://ann:hun@ter2/0@localhost',
    'redis://ann:hun@ter2#x@localhost',
    'redis://:@hunter2@localhost',
    'redis://ann:hun%ter2@localhost',
    'redis://:hunter2@',
    'unix://ann:hun@ter2@/run/redis.sock',
    'redis+sentinel://ann:hun@ter2@one,two/main',
    'redis+cluster://ann:hun@ter2@one,two',
  ])('is refused with advice that tells nothing of the password in %s', (url) => {
    for (const fault of [
      ...faultsOf({ env: { CHANNELSTREAM_REDIS_URL: url } }),
      ...faultsOf({ env: { CHANNELSTREAM_PHILOTE_REDIS_URL: url.replace('0@', 'x@') } }),
    ]) {
      expect(fault).toContain('in a user or password @ has to be written as %40')
      expect(fault).not.toMatch(/hun|ter2|ann/)
    }
    expect(faultsOf({ env: { CHANNELSTREAM_REDIS_URL: url } })).toHaveLength(1)
  })

  it.each(['/', '?', '#', '?x=', ':', '[', ' '])(
    'may have %j in a password, which is not shown',
    (character) => {
      const url = `redis://ann:hun${character}ter2@localhost`
      const address = parseRedisUrl(url) as RedisAddress
      expect(address.password).toBe(`hun${character}ter2`)
      expect(shownAddress(address)).toBe('localhost:6379')
    },
  )

  it.each(['#', '?', '#1@a:2', '?x@'])(
    'of Philote is refused if %j in a password hides the host',
    (characters) => {
      const url = `redis://ann:12${characters}ter2@localhost`
      const [fault = ''] = faultsOf({ env: { CHANNELSTREAM_PHILOTE_REDIS_URL: url } })
      expect(fault).toContain('# as %23')
      expect(fault).not.toMatch(/ter2|ann|12/)
    },
  )

  it('cannot be combined with that of Philote', () => {
    const both = { redis_url: 'redis://localhost', philote_redis_url: 'redis://localhost/1' }
    const lines = Object.entries(both).map(([name, value]) => `${name} = ${value}`)
    expect(faultsOf({ ini: section(...lines) })).toEqual([
      'a.ini:3: philote_redis_url: cannot be combined with redis_url: every server would store each message from there',
    ])
    for (const line of lines) expect(faultsOf({ ini: section(line) })).toEqual([])
    const env = { CHANNELSTREAM_REDIS_URL: both.redis_url }
    expect(faultsOf({ ini: section(lines[1] ?? ''), env })).toHaveLength(1)
    expect(faultsOf({ ini: section(lines[1] ?? '', 'redis_url ='), env: {} })).toEqual([])
  })
})
