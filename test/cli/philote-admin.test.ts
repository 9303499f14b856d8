import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { helpText } from '../../src/cli/arguments.ts'
import { TokenChecker } from '../../src/philote/token.ts'
import { INSTALL_TIMEOUT_MS } from '../helpers/debian-packages.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { RedisServer } from '../helpers/redis.ts'

afterAll(killProcesses)

/** Runs the tool in a process. Resolves with its exit code and output. */
async function admin(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { exit, stdout, stderr } = await ServerProcess.run({
    args: ['philote-admin', ...args],
    env,
  })
  return { code: exit.code, stdout, stderr }
}

describe('philote-admin', () => {
  it('is in the help, and lists its commands and flags itself', async () => {
    expect(helpText()).toContain('channelstream philote-admin COMMAND')
    const { code, stdout } = await admin(['--help'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/create-key.*-allowed-uses.*publish.*-channel.*token.*-expires/s)
  })

  it.each(['create-key', 'publish'])(
    '%s prints why there is no Redis, with status 1',
    async (name) => {
      const away = await admin([name], { REDIS_URL: 'redis://:hunter2@127.0.0.1:1' })
      expect(away).toMatchObject({ code: 1, stderr: '' })
      expect(away.stdout).toContain('ECONNREFUSED')
      const unset = await admin([name])
      expect(unset).toEqual({ code: 1, stdout: 'REDIS_URL is not set\n', stderr: '' })
      const bad = await admin([name], { REDIS_URL: 'http://:hunter2@127.0.0.1' })
      expect(bad).toMatchObject({ code: 1, stderr: '' })
      const hidden = await admin([name], { REDIS_URL: 'redis://:12#hunter2@127.0.0.1' })
      expect(hidden).toMatchObject({ code: 1, stderr: '' })
      expect(hidden.stdout).toContain('# as %23')
      for (const { stdout } of [away, bad, hidden]) expect(stdout).not.toContain('hunter2')
    },
  )
})

describe('philote-admin with a Redis', () => {
  let redis: RedisServer
  beforeAll(async () => (redis = await RedisServer.start()), INSTALL_TIMEOUT_MS)
  afterAll(() => redis.stop())

  /** Returns the key that is stored for a token. */
  async function keyOf(token: string): Promise<unknown> {
    const client = await redis.client()
    const text = await client.get(`philote:access_key:${token}`)
    client.destroy()
    return text === null ? null : JSON.parse(text)
  }

  it.each([
    [['-read=', '--write', 'a=b'], { read: [], write: ['a=b'], allowed_uses: 0 }],
    [['--allowed-uses=0x10', '-read', '-x'], { read: ['-x'], allowed_uses: 16 }],
    [['-read', 'a', '--', '-read', 'b'], { read: ['a'] }],
    [['-read', 'a', 'word', '-read', 'b'], { read: ['a'] }],
    [['-read', 'a', '-read', 'b'], { read: ['b'] }],
  ])('create-key reads flags as Go does: %j', async (flags, expected) => {
    const { code, stdout } = await admin(['create-key', ...flags], { REDIS_URL: redis.url })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}\n$/)
    expect(await keyOf(stdout.trim())).toMatchObject({ uses: 0, ...expected })
  })

  it.each([
    [['---read', 'a'], 'bad flag syntax'],
    [['-=a'], 'bad flag syntax'],
    [['-read'], 'flag -read: needs an argument'],
    [['-toString', 'a'], 'flag provided but not defined: -toString'],
    [['-allowed-uses', '1.5'], 'flag -allowed-uses: expected a whole number'],
  ])('create-key refuses %j with status 2, on standard error', async (flags, problem) => {
    const refused = await admin(['create-key', '-token', 'none', ...flags], {
      REDIS_URL: redis.url,
    })
    expect(refused).toMatchObject({ code: 2, stdout: '' })
    expect(refused.stderr).toContain(`${problem}\n`)
    expect(await keyOf('none')).toBeNull()
  })

  it('prints what Redis says against it', async () => {
    const { port } = redis
    const refused = await admin(['publish'], { REDIS_URL: `redis://:hunter2@127.0.0.1:${port}` })
    expect(refused).toMatchObject({ code: 1, stderr: '' })
    expect(refused.stdout).toMatch(/AUTH|password/)
    expect(refused.stdout).not.toContain('hunter2')
  })
})

describe('philote-admin token', () => {
  const NOW_MS = Date.now()

  /** Checks the token as a server with this secret does, `laterSeconds` from now. */
  const check = (token: string, secret: string, laterSeconds = 0) =>
    new TokenChecker(secret, () => NOW_MS + laterSeconds * 1000).check(token.trim())

  it('makes a token that allows what is named', async () => {
    const flags = ['-read', 'a,b', '-write', 'a', '-api']
    const { code, stdout } = await admin(['token', '-s', 'hunter2', ...flags])
    expect(code).toBe(0)
    expect(await check(stdout, 'hunter2', 1e9)).toEqual({
      read: ['a', 'b'],
      write: new Set(['a']),
      api: true,
    })
    expect(await check(stdout, 'other')).toMatchObject({
      refusal: { text: 'signature is invalid' },
    })
  })

  it('allows nothing else, and reads the secret from the environment', async () => {
    const { stdout } = await admin(['token'], { SECRET: 'hunter2' })
    expect(await check(stdout, 'hunter2')).toEqual({ read: [], write: new Set(), api: false })
  })

  it.each(['HS256', 'HS384', 'HS512'])('signs with %s', async (algorithm) => {
    const { stdout } = await admin(['token', '-s', 'hunter2', '-alg', algorithm])
    const [header = ''] = stdout.split('.')
    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toEqual({
      alg: algorithm,
      typ: 'JWT',
    })
    expect(await check(stdout, 'hunter2')).toHaveProperty('read')
  })

  it.each([
    ['90s', 90],
    ['1h30m', 5400],
    ['7d', 604_800],
  ])('lets it expire after %s', async (text, seconds) => {
    const { stdout } = await admin(['token', '-s', 'hunter2', '-expires', text])
    expect(await check(stdout, 'hunter2', seconds - 1)).toHaveProperty('read')
    const expired = await check(stdout, 'hunter2', seconds + 60)
    expect(JSON.stringify(expired)).toContain('token is expired by')
  })

  it('signs with an empty secret only if that is said', async () => {
    const flags = ['token', '-s', '']
    const refused = await admin(flags, { SECRET: 'not asked' })
    expect(refused).toMatchObject({ code: 2, stdout: '' })
    expect(refused.stderr).toContain('the secret is empty')
    const { stdout } = await admin([...flags, '-empty-secret'])
    expect(await check(stdout, '')).toHaveProperty('read')
  })

  it.each([
    [['-alg', 'RS256'], 'flag -alg: expected one of HS256'],
    [['-alg', 'none'], 'flag -alg: expected one of HS256'],
    [['-expires', '0s'], 'flag -expires: expected a time'],
    [['-expires', 'soon'], 'flag -expires: expected a time'],
    [['-expires', ''], 'flag -expires: expected a time'],
    [['-empty-secret'], 'flag -empty-secret: cannot be used together'],
  ])('refuses %j, and does not tell the secret', async (flags, problem) => {
    const refused = await admin(['token', '-s', 'hunter2', ...flags])
    expect(refused).toMatchObject({ code: 2, stdout: '' })
    expect(refused.stderr).toContain(problem)
    expect(refused.stderr).not.toContain('hunter2')
  })
})
