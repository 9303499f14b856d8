/** Connections to a local Redis other than plain TCP. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Backend } from '../helpers/http.ts'
import { freePort } from '../helpers/ports.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'

let directory: string
let redis: RedisServer
let tlsPort: number
const at = (name: string): string => join(directory, name)

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { cwd: directory, stdio: 'ignore' })
}

/** A private certificate authority, and a certificate for this machine. */
function makeCertificates(): void {
  const request = ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const names = ['-addext', 'subjectAltName=IP:127.0.0.1']
  openssl(...request, '-x509', '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=authority')
  openssl(...request, '-keyout', 'key', '-out', 'csr', '-subj', '/CN=redis', ...names)
  const signing = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-copy_extensions', 'copy']
  openssl('x509', '-req', '-in', 'csr', '-out', 'crt', ...signing)
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'channelstream-lines-'))
  makeCertificates()
  tlsPort = await freePort()
  redis = await RedisServer.start({
    requirepass: 'hunter2+is:a/b',
    unixsocket: at('redis.sock'),
    'tls-port': String(tlsPort),
    'tls-cert-file': at('crt'),
    'tls-key-file': at('key'),
    'tls-ca-cert-file': at('ca.crt'),
    'tls-auth-clients': 'no',
  })
})
afterAll(async () => {
  closeClients()
  await killProcesses()
  await redis.stop()
  rmSync(directory, { recursive: true, force: true })
})

const PASSWORD = encodeURIComponent('hunter2+is:a/b')
const settingsFor = (redis_url: string) => ({
  redis_url,
  redis_prefix: freshPrefix(),
  redis_connect_timeout: 10,
})

describe('a server', { timeout: 90_000 }, () => {
  it.each([
    { name: 'by TLS', url: () => `rediss://:${PASSWORD}@127.0.0.1:${tlsPort}` },
    { name: 'by a Unix socket', url: () => `unix://:${PASSWORD}@${at('redis.sock')}?db=2` },
  ])('reaches Redis $name', async ({ url }) => {
    const server = await ServerProcess.start({
      settings: settingsFor(url()),
      env: { NODE_EXTRA_CA_CERTS: at('ca.crt') },
    })
    const backend = new Backend(server)
    const ann = await Listener.open(server, await backend.connect('ann', ['room']))
    await backend.say('room', 'hello')
    await ann.heard('hello')
    expect(server.output).not.toContain('hunter2')
  })

  it('does not trust an authority that nobody told it of', async () => {
    const url = `rediss://:${PASSWORD}@127.0.0.1:${tlsPort}`
    const settings = { ...settingsFor(url), redis_connect_timeout: 2 }
    const { exit, stderr } = await ServerProcess.run({ args: ['--port', '0'], settings })
    expect(exit.code).toBe(1)
    expect(stderr).toMatch(/certificate/)
    expect(stderr).toContain(`127.0.0.1:${tlsPort}`)
    expect(stderr).not.toContain('hunter2')
  })
})
