import { describe, expect, it } from 'vitest'
import { faultsOf, load, SECRETS, section, type Sources } from './loading.ts'

describe('host', () => {
  it('is this machine only while a secret is a default', () => {
    expect(load({}).config.host).toBe('127.0.0.1')
    expect(load({ env: { CHANNELSTREAM_SECRET: 'a' } }).config.host).toBe('127.0.0.1')
    expect(
      load({ env: { CHANNELSTREAM_HOST: '', CHANNELSTREAM_SECRET: 'secret' } }).config.host,
    ).toBe('127.0.0.1')
    expect(load({ env: SECRETS }).config.host).toBe('0.0.0.0')
  })

  it.each(['0.0.0.0', '::', '192.168.1.2', 'push.example.com'])(
    'may not be %s with default secrets',
    (host) => {
      expect(faultsOf({ ini: section(`host = ${host}`) })).toEqual([
        `a.ini:2: host: other machines can reach ${host}, but secret and admin_secret still have their default values, ` +
          'which are public; generate secrets with `channelstream make-config -o channelstream.ini`, or listen on 127.0.0.1',
      ])
      expect(faultsOf({ argv: ['--host', host], env: { CHANNELSTREAM_SECRET: 'a' } })).toHaveLength(
        1,
      )
      expect(load({ argv: ['--host', host], env: SECRETS }).config.host).toBe(host)
    },
  )

  it.each([
    ['secret', ['--secret-fallbacks', 'other\nsecret']],
    ['admin_secret', ['--admin-secret-fallbacks', 'admin_secret']],
  ])('may not be reachable while the default of %s is accepted as well', (name, argv) => {
    expect(faultsOf({ argv: ['--host', '::', ...argv], env: SECRETS })).toEqual([
      `--host: other machines can reach ::, but ${name}_fallbacks contains the default value of ${name}, which is ` +
        'public; remove it',
    ])
    const { config, notes } = load({ argv, env: SECRETS })
    expect(config.host).toBe('127.0.0.1')
    expect(notes.join()).toContain(
      `${name}_fallbacks contains the default value of ${name}, which is public, so the server listens on 127.0.0.1`,
    )
  })

  it('may be reachable with other fallbacks', () => {
    const argv = ['--host', '::', '--secret-fallbacks', 'admin_secret\nold']
    expect(load({ argv, env: SECRETS }).config).toMatchObject({
      host: '::',
      secret_fallbacks: ['admin_secret', 'old'],
    })
  })

  it.each(['127.0.0.1', '127.1.2.3', '::1', 'localhost', 'LocalHost', '::ffff:127.0.0.1'])(
    'may be %s with default secrets',
    (host) => {
      expect(load({ argv: ['--host', host] }).config.host).toBe(host)
    },
  )
})

describe('notes', () => {
  const notesOf = (sources: Sources): string => load(sources).notes.join('\n')

  it('tell of secrets that are not set', () => {
    expect(notesOf({})).toContain('secret and admin_secret not set')
    expect(notesOf({ env: { CHANNELSTREAM_SECRET: 'a' } })).toContain('admin_secret not set')
    expect(notesOf({ env: SECRETS })).not.toContain('not set')
  })

  it('tell what else is unsafe', () => {
    const argv = [
      '--validate-requests=false',
      '--allow-posting-from=0.0.0.0',
      '--trusted-proxies=::/0',
      '--secret=a',
    ]
    const notes = notesOf({ argv })
    for (const name of [
      'validate_requests',
      'allow_posting_from',
      'trusted_proxies',
      'allow_cors',
      '--secret',
    ]) {
      expect(notes).toContain(name)
    }
  })

  it('are none when there is nothing to tell', () => {
    expect(load({ env: { ...SECRETS, CHANNELSTREAM_ALLOW_CORS: 'example.com' } }).notes).toEqual([])
  })
})

describe('philote_host', () => {
  const PORT = { CHANNELSTREAM_PHILOTE_PORT: '6380' }

  it('is this machine only while everybody can sign tokens', () => {
    expect(load({ env: PORT }).config.philote_host).toBe('127.0.0.1')
    for (const [name, value] of [
      ['SECRET', 'a'],
      ['REDIS_URL', 'redis://localhost'],
    ]) {
      const env = { ...PORT, [`CHANNELSTREAM_PHILOTE_${name}`]: value }
      expect(load({ env }).config.philote_host).toBe('0.0.0.0')
    }
  })

  it('may not be one that others can reach while everybody can sign tokens', () => {
    const ini = section('philote_port = 6380', 'philote_host = 0.0.0.0')
    expect(faultsOf({ ini })).toEqual([
      'a.ini:3: philote_host: other machines can reach 0.0.0.0, but philote_secret is empty, so anyone ' +
        'can sign tokens; generate secrets with `channelstream make-config -o channelstream.ini`, or listen on 127.0.0.1',
    ])
    expect(faultsOf({ ini: section('philote_host = 0.0.0.0') })).toEqual([])
    const env = { CHANNELSTREAM_PHILOTE_SECRET: 'a' }
    expect(load({ ini, env }).config.philote_host).toBe('0.0.0.0')
  })

  it('is told of while everybody can sign tokens, and Philote is served', () => {
    const note =
      'philote_secret is empty: anyone can sign tokens, so Philote listens on 127.0.0.1 only.'
    expect(load({ env: PORT }).notes).toContain(note)
    expect(load({}).notes).not.toContain(note)
  })
})
