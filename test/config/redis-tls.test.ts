import { describe, expect, it } from 'vitest'
import { faultsOf, load, SECRETS, section } from './loading.ts'

const files = (...names: string[]): string[] => names.map((name) => `redis_${name}_file = /run/x`)

describe('files for TLS with Redis', () => {
  it.each(['redis_url', 'philote_redis_url'])('need a url of %s for TLS', (name) => {
    const fault = (line: number, file: string): string =>
      `a.ini:${line}: redis_${file}_file: needs a url of Redis that begins with rediss`
    const ini = section(`${name} = redis://127.0.0.1`, ...files('ca', 'cert', 'key'))
    expect(faultsOf({ ini })).toEqual([fault(3, 'ca'), fault(4, 'cert'), fault(5, 'key')])
    const tls = section(`${name} = rediss://127.0.0.1`, ...files('ca', 'cert', 'key'))
    expect(faultsOf({ ini: tls })).toEqual([])
  })

  it('are possible with Sentinels and a Cluster', () => {
    for (const url of ['rediss+sentinel://a,b/main', 'rediss+cluster://a,b'])
      expect(faultsOf({ ini: section(`redis_url = ${url}`, ...files('ca')) })).toEqual([])
  })

  it('have no certificate without its key, and no key without its certificate', () => {
    const url = 'redis_url = rediss://127.0.0.1'
    expect(faultsOf({ ini: section(url, ...files('cert')) })).toEqual([
      'a.ini:3: redis_cert_file: needs redis_key_file',
    ])
    expect(faultsOf({ ini: section(url, ...files('key')) })).toEqual([
      'a.ini:3: redis_key_file: needs redis_cert_file',
    ])
  })

  it('mean nothing without a Redis', () => {
    const { config } = load({ env: SECRETS, ini: section(...files('ca')) })
    expect(config.redis_ca_file).toBe('/run/x')
  })
})
