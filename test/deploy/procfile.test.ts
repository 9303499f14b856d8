/** `Procfile` and `app.json`, for hosts that run a repository behind a proxy of theirs. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/config/load.ts'
import { SETTING_BY_NAME } from '../../src/config/schema.ts'
import { Backend, send } from '../helpers/http.ts'
import { freePort } from '../helpers/ports.ts'
import { MAIN, ServerProcess, killProcesses } from '../helpers/process.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'

const ROOT = new URL('../../', import.meta.url).pathname
const CLIENT = '203.0.113.7'

interface Variable {
  readonly description: string
  readonly value?: string
  readonly generator?: string
  readonly required?: boolean
}
interface AppJson {
  readonly env: Readonly<Record<string, Variable>>
  readonly formation: Readonly<Record<string, { readonly quantity: number }>>
}

const appJson = async (): Promise<AppJson> =>
  JSON.parse(await readFile(resolve(ROOT, 'app.json'), 'utf8')) as AppJson

async function processes(): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(resolve(ROOT, 'Procfile'), 'utf8')
  const lines = text.trimEnd().split('\n')
  return new Map(
    lines.map((line) => {
      const [, name = '', command = ''] = /^([\w-]+): (.+)$/.exec(line) ?? []
      return [name, command]
    }),
  )
}

/** Runs the command as a host does, which gives it the port, the secrets and the other values. */
async function commandAndEnv(more: Readonly<Record<string, string>> = {}) {
  const variables = (await appJson()).env
  const values = Object.entries(variables).map(([name, { value, generator }]) => [
    name,
    generator === 'secret' ? `generated for ${name}` : (value ?? ''),
  ])
  const given = Object.fromEntries(values) as Record<string, string>
  const web = (await processes()).get('web') ?? ''
  expect(web).toContain('node --max-semi-space-size=16 dist/main.js')
  // The server is in another folder than that of the test.
  const line = web.replace('exec node', `exec ${process.execPath}`).replace('dist/main.js', MAIN)
  const command: [string, ...string[]] = ['sh', '-c', line]
  const env: Record<string, string> = { ...given, PORT: String(await freePort()), ...more }
  return { command, env }
}

describe('Procfile', () => {
  afterAll(async () => {
    closeClients()
    await killProcesses()
  })

  it('starts a server on the port of the host, and its signals reach the server', async () => {
    const { command, env } = await commandAndEnv()
    const server = await ServerProcess.startCommand(/API explorer/, { command, env })
    expect(server.port).toBe(Number(env['PORT']))
    expect(server.stdout).toContain('0.0.0.0: every address')
    expect((await send(server, 'GET /health')).body).toEqual({ status: 'ok' })
    server.signal('SIGTERM')
    expect(await server.ended()).toEqual({ code: 0, signal: null })
  })

  it('starts no server without secrets', async () => {
    const options = await commandAndEnv({ CHANNELSTREAM_SECRET: '' })
    const { exit, stderr } = await ServerProcess.run(options)
    expect(exit.code).toBe(1)
    expect(stderr).toContain('secret still has its default value')
  })

  it('serves clients of a host that ends TLS, by their own addresses', async () => {
    // The test is the proxy of the host.
    const options = await commandAndEnv({ CHANNELSTREAM_TRUSTED_PROXIES: '127.0.0.1' })
    const server = await ServerProcess.startCommand(/API explorer/, options)
    const headers = { 'x-forwarded-for': `127.0.0.1, ${CLIENT}`, 'x-forwarded-proto': 'https' }
    const backend = new Backend(server, options.env['CHANNELSTREAM_SECRET'])
    const json = { username: 'ann', channels: ['room'] }
    const connected = await backend.send('POST /connect', { json, headers })
    const { conn_id: connId } = connected.body as { conn_id: string }
    const listener = await Listener.open(server, connId, { headers })
    const message = [{ user: 'ann', channel: 'room', message: { text: 'hello' } }]
    expect((await backend.send('POST /message', { json: message, headers })).status).toBe(200)
    await listener.heard('hello')
    expect((await send(server, 'GET /metrics', { headers })).status).toBe(403)
    const password = encodeURIComponent(options.env['CHANNELSTREAM_ADMIN_SECRET'] ?? '')
    const body = `username=admin&password=${password}`
    const signedIn = await send(server, 'POST /admin/sign_in', { headers, body })
    expect(signedIn.headers['set-cookie']?.[0]).toContain('; Secure')
  })
})

describe('app.json', () => {
  it('sets only what there is, and has the host generate the secrets', async () => {
    const { env } = await appJson()
    const generated: string[] = []
    const values: Record<string, string> = {}
    for (const [variable, { value, generator, description, required }] of Object.entries(env)) {
      const name = variable.replace(/^CHANNELSTREAM_/, '').toLowerCase()
      expect(SETTING_BY_NAME.has(name), variable).toBe(true)
      expect(description).toMatch(/\.$/)
      if (generator === undefined) values[name] = value ?? ''
      else {
        expect({ generator, value }).toEqual({ generator: 'secret', value: undefined })
        generated.push(name)
      }
      // A host asks for what has no value.
      if (value === '') expect(required).toBe(false)
    }
    expect(generated).toEqual(['secret', 'admin_secret'])
    expect(parseConfig(values).allow_posting_from).toEqual(['0.0.0.0'])
  })

  it('runs one process of those in the Procfile, as the data is in its memory', async () => {
    const { formation } = await appJson()
    expect(Object.keys(formation)).toEqual([...(await processes()).keys()])
    expect(formation['web']?.quantity).toBe(1)
  })
})
