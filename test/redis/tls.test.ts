/** TLS with certificates of one's own, and Sentinels with users of their own. */
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { makeCertificate } from '../helpers/certificate.ts'
import { endAll } from '../helpers/ending.ts'
import { Backend, until } from '../helpers/http.ts'
import { freePort } from '../helpers/ports.ts'
import { ServerProcess } from '../helpers/process.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'

afterAll(async () => {
  closeClients()
  await endAll()
})

const keyOf = (file: string): string => join(dirname(file), 'key.pem')

/** A Redis that wants a certificate of its clients, and the settings that reach it. Ends with the test. */
async function startTlsRedis() {
  const own = makeCertificate().file
  const client = makeCertificate().file
  const port = await freePort()
  const redis = await RedisServer.start({
    'tls-port': String(port),
    'tls-cert-file': own,
    'tls-key-file': keyOf(own),
    'tls-ca-cert-file': client,
    'tls-auth-clients': 'yes',
  })
  return {
    redis,
    url: `rediss://127.0.0.1:${port}`,
    trust: { redis_ca_file: own },
    identity: { redis_cert_file: client, redis_key_file: keyOf(client) },
  }
}

const run = (settings: Record<string, string | number>) =>
  ServerProcess.run({ settings: { port: 0, redis_connect_timeout: 2, ...settings } })

async function expectDelivery(server: ServerProcess): Promise<void> {
  const backend = new Backend(server)
  const ann = await Listener.open(server, await backend.connect('ann', ['room']))
  await backend.say('room', 'hello')
  await ann.heard('hello')
  await ann.close()
}

describe('a Redis that wants certificates', { timeout: 120_000 }, () => {
  it('is reached with redis_ca_file, redis_cert_file and redis_key_file', async () => {
    const { url, trust, identity } = await startTlsRedis()
    const settings = { redis_url: url, redis_prefix: freshPrefix(), ...trust, ...identity }
    const server = await ServerProcess.start({ settings })
    await expectDelivery(server)
    await server.kill()
    const exported = await ServerProcess.run({
      args: ['export'],
      settings: { ...settings },
    })
    expect(exported.exit.code, exported.stderr).toBe(0)
  })

  it('is not reached without its authority, without a certificate, or with another one', async () => {
    const { url, trust, identity } = await startTlsRedis()
    const stranger = makeCertificate().file
    for (const settings of [
      identity,
      trust,
      { ...trust, redis_cert_file: stranger, redis_key_file: keyOf(stranger) },
      { ...identity, redis_ca_file: stranger },
    ]) {
      const { exit, stderr } = await run({ redis_url: url, ...settings })
      expect(exit).toEqual({ code: 1, signal: null })
      expect(stderr).toMatch(/^channelstream: Redis \(127\.0\.0\.1:\d+\): /)
    }
  })

  it('serves Philote clients too', async () => {
    const { redis, url, trust, identity } = await startTlsRedis()
    const philote = { philote_port: await freePort(), philote_redis_url: url }
    const server = await ServerProcess.start({ settings: { ...philote, ...trust, ...identity } })
    const client = await redis.client()
    const isConnected = async (): Promise<boolean> => {
      const list = await client.sendCommand<string>(['CLIENT', 'LIST'])
      return list.trim().split('\n').length === 3
    }
    await until(isConnected, 'both connections of the server')
    expect(server.stderr).not.toContain('Redis is away')
    client.destroy()
    await server.kill()
    const other = await ServerProcess.start({
      settings: { ...philote, philote_port: await freePort(), ...trust },
    })
    await until(() => other.stderr.includes('Redis is away'), 'the refusal')
  })
})

describe('files for TLS that cannot be used', { timeout: 60_000 }, () => {
  const url = { redis_url: 'rediss://127.0.0.1:1' }

  it('are an error at the start with the setting and the path, and not the content', async () => {
    const { file } = makeCertificate()
    const hush = join(dirname(file), 'hush')
    writeFileSync(hush, 'hunter2')
    const missing = join(dirname(file), 'missing')
    const first = await run({ ...url, redis_ca_file: missing })
    expect(first.exit.code).toBe(1)
    expect(first.stderr).toContain(`redis_ca_file: ${missing} cannot be read: ENOENT`)
    const second = await run({ ...url, redis_cert_file: file, redis_key_file: hush })
    expect(second.exit.code).toBe(1)
    expect(second.stderr).toContain(`redis_key_file: ${hush} is not in PEM`)
    expect(second.output).not.toContain('hunter2')
  })
})

it('Sentinels are asked with their own user and password', { timeout: 90_000 }, async () => {
  const master = await RedisServer.start({})
  const sentinel = await RedisServer.startSentinel()
  const client = await sentinel.client()
  await client.sendCommand(['SENTINEL', 'MONITOR', 'main', '127.0.0.1', String(master.port), '1'])
  await client.sendCommand(['ACL', 'SETUSER', 'ann', 'on', '>hunter2', '&*', '+@all'])
  await client.sendCommand(['ACL', 'SETUSER', 'default', 'resetpass', '>hunter3'])
  client.destroy()
  const redis_url = `redis+sentinel://127.0.0.1:${sentinel.port}/main`
  for (const login of [
    { redis_sentinel_password: 'hunter3' },
    { redis_sentinel_user: 'ann', redis_sentinel_password: 'hunter2' },
  ]) {
    const settings = { redis_url, redis_prefix: freshPrefix(), ...login }
    const server = await ServerProcess.start({ settings })
    await expectDelivery(server)
    expect(server.output).not.toContain('hunter')
    await server.kill()
  }
  for (const login of [
    {},
    { redis_sentinel_password: 'hunter4' },
    { redis_sentinel_user: 'ann', redis_sentinel_password: 'hunter3' },
  ]) {
    const { exit, stderr } = await run({ redis_url, ...login })
    expect(exit).toEqual({ code: 1, signal: null })
    expect(stderr).toMatch(/NOAUTH|WRONGPASS/)
    expect(stderr).not.toContain('hunter')
  }
})
