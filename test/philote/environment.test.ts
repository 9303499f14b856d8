import { afterAll, describe, expect, it } from 'vitest'
import { loadPhilote } from '../../src/config/philote-environment.ts'
import { until } from '../helpers/http.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'

afterAll(killProcesses)

const SECRET = 's'

describe('the environment of Philote', () => {
  it('has the defaults of Philote', () => {
    expect(loadPhilote([], { SECRET }).settings).toEqual({
      host: undefined,
      port: 6380,
      logLevel: 'info',
      secret: 's',
      secretFallbacks: [],
      maxConnections: 255,
      readBufferSize: 1024,
      writeBufferSize: 1024,
      checkOrigin: false,
      redisUrl: undefined,
    })
  })

  it.each([
    ['0x10', 16],
    ['010', 8],
    ['0b11', 3],
    ['1_000', 1000],
    ['-1', -1],
    ['+7', 7],
    ['0', 0],
  ])('reads %s as Go does', (text, value) => {
    expect(loadPhilote([], { MAX_CONNECTIONS: text }).settings.maxConnections).toBe(value)
  })

  it.each([
    ['MAX_CONNECTIONS', ''],
    ['MAX_CONNECTIONS', '1.5'],
    ['MAX_CONNECTIONS', '08'],
    ['PORT', ''],
    ['PORT', '70000'],
    ['LOGLEVEL', ''],
    ['CHECK_ORIGIN', 'yes'],
    ['CHECK_ORIGIN', ''],
    ['REDIS_URL', ''],
    ['REDIS_URL', 'http://a'],
  ])('refuses %s=%j', (name, value) => {
    expect(() => loadPhilote([], { SECRET, [name]: value })).toThrow(`${name}: expected`)
  })

  it('reads SECRET_FALLBACKS line by line, and shows none of them', () => {
    const read = (SECRET_FALLBACKS: string) =>
      loadPhilote([], { SECRET, SECRET_FALLBACKS }).settings.secretFallbacks
    expect(read('')).toEqual([])
    expect(read('old, with a comma\nolder\n')).toEqual(['old, with a comma', 'older'])
    expect(() => read('hunter2\n'.repeat(11))).toThrow(/^(?!.*hunter2).*up to 10 texts/s)
  })

  it('needs two connections to Redis, and tells no password', () => {
    const env = { REDIS_URL: 'redis://:hunter2@localhost/0', REDIS_MAX_CONNECTIONS: '1' }
    expect(() => loadPhilote([], env)).toThrow(/^(?!.*hunter2).*at least 2/s)
    expect(() => loadPhilote([], { REDIS_URL: 'http://:hunter2@a' })).toThrow(/^(?!.*hunter2)/s)
  })

  it.each(['redis://:12#hunter2@a', 'redis://:12?hunter2@a', 'redis://:hunter%2@a'])(
    'refuses REDIS_URL=%s with advice that tells nothing of the password',
    (url) => {
      const attempt = (): unknown => loadPhilote([], { REDIS_URL: url })
      expect(attempt).toThrow(/^(?!.*(hunter|12)).*# as %23/s)
    },
  )

  it('keeps it on loopback while everybody can sign tokens', () => {
    const { settings, notes } = loadPhilote([], {})
    expect(settings.host).toBe('127.0.0.1')
    expect(notes.join()).toContain('SECRET is empty')
    expect(() => loadPhilote(['--host', '0.0.0.0'], {})).toThrow('SECRET is empty')
    expect(loadPhilote(['--host', '0.0.0.0'], { SECRET }).settings.host).toBe('0.0.0.0')
    expect(loadPhilote(['--host', '::1'], {}).settings.host).toBe('::1')
  })
})

describe('channelstream philote', () => {
  it('tells where it listens and what is unsafe, and stops in order', async () => {
    const server = await ServerProcess.startPhilote()
    expect(server.stdout).toMatch(
      /^Channelstream \S+ \(Philote 0\.3\) listens on ws:\/\/127\.0\.0\.1:\d+\n/,
    )
    await until(() => server.stdout.includes('SECRET is empty'), 'the note')
    server.signal('SIGTERM')
    expect(await server.exited).toEqual({ code: 0, signal: null })
  })

  it('does not start with what it cannot read', async () => {
    const { exit, stderr } = await ServerProcess.run({
      args: ['philote'],
      env: { MAX_CONNECTIONS: 'many' },
    })
    expect(exit.code).toBe(1)
    expect(stderr).toContain('MAX_CONNECTIONS: expected a whole number')
  })
})
