/** Each setting that a running server reads again: what it did before, and what it does from then on. */
import { createHmac } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { parseConfig } from '../../src/config/load.ts'
import { RELOADED_SETTINGS } from '../../src/config/reloading.ts'
import { WEBHOOK_HEADERS } from '../../src/protocol/headers.ts'
import { Admin } from '../helpers/admin.ts'
import { ManualClock } from '../helpers/clock.ts'
import { Backend, send, signature, until } from '../helpers/http.ts'
import { freePort } from '../helpers/ports.ts'
import { startServer } from '../helpers/server.ts'
import { WebhookReceiver } from '../helpers/webhook-receiver.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import { Client, signToken } from '../philote/client.ts'
import type { ConfigInput } from '../../src/config/load.ts'
import type { TestServer } from '../helpers/server.ts'

type Reloaded = (typeof RELOADED_SETTINGS)[number]

/** What is observed before and after. */
interface Effect {
  readonly before?: ConfigInput
  readonly after: ConfigInput
  /** Called once before, and once after. */
  readonly observe: (server: TestServer) => Promise<unknown>
  readonly becomes: readonly [before: unknown, after: unknown]
}

const BASE = { host: '127.0.0.1', port: 0, log_level: 'fatal', shutdown_grace: 0.5 } as const
/** Not the address of a backend, nor of a proxy. */
const CLIENT = '127.0.0.2'

const info = (server: TestServer, sending: Parameters<Backend['send']>[1] = {}, secret?: string) =>
  new Backend(server, secret).send('POST /info', sending)
const statusOf =
  (line: string, json: unknown) =>
  async (server: TestServer): Promise<number> =>
    (await new Backend(server).send(line, { json })).status

const messages = (count: number, more: object = {}) =>
  Array.from({ length: count }, () => ({ user: 'ann', channel: 'room', message: {}, ...more }))

/** The status of a connection of a new user to two channels. */
const statusOfTwoChannels = (server: TestServer) =>
  statusOf('POST /connect', { username: crypto.randomUUID(), channels: ['a', 'b'] })(server)

/** The status of a signed request with this secret. */
const signedWith = (secret: string) => async (server: TestServer) =>
  (await info(server, {}, secret)).status

const signInAs = (username: string, password: string) => async (server: TestServer) =>
  (await Admin.signIn(server, { username, password })).cookie !== ''

/** Whether a session is open that was opened at the first call. */
const session = () => {
  let admin: Admin | undefined
  return async (server: TestServer) => {
    admin ??= await Admin.signIn(server)
    return (await admin.call('GET /admin/admin.json')).status
  }
}

const settingsOf = (channel: string, name: string) => async (server: TestServer) => {
  const backend = new Backend(server)
  const unique = `${channel}${crypto.randomUUID()}`
  await backend.connect('ann', [unique])
  return (await backend.info()).channels[unique]?.settings[name as 'history_size']
}

/** The status line that a new socket of a client gets. The others stay open until the test ends. */
function openSocket(server: TestServer): Promise<string> {
  const socket = connect({ host: server.host, port: server.port, localAddress: CLIENT })
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => {})
  socket.write('GET /health HTTP/1.1\r\nHost: test\r\n\r\n')
  return new Promise((resolve) => {
    socket.once('data', (data: Buffer) => resolve(data.toString().split('\r\n')[0] ?? ''))
    socket.once('close', () => resolve('closed'))
  })
}

/** Opens as many sockets one after the other, and resolves with the answer to the last one. */
const openSockets = (count: number) => async (server: TestServer) => {
  let last = ''
  for (let n = 0; n < count; n++) last = await openSocket(server)
  return last
}

/** A module that is ready at once, then never, then at once. */
const SLOW_CHECKER = `
let calls = 0
export const createSignatureChecker = () =>
  ++calls === 2 ? new Promise(() => {}) : { verify: () => undefined }
`

const OK = 'HTTP/1.1 200 OK'

async function webhookSignature(server: TestServer): Promise<string> {
  const count = receiver.requests.length
  await new Backend(server).connect(`user ${count}`)
  await until(() => receiver.requests.length > count, 'a webhook request')
  const request = receiver.requests.at(-1)
  const [one = '', ...others] = String(request?.headers[WEBHOOK_HEADERS.signature]).split(',')
  const text = `${String(request?.headers[WEBHOOK_HEADERS.timestamp])}./hook.${request?.text ?? ''}`
  const signers = ['one', 'two'].filter((secret) =>
    [one, ...others].includes(createHmac('sha256', secret).update(text).digest('hex')),
  )
  return signers.join()
}
let receiver: WebhookReceiver
let philotePort = 0

const philoteToken = (secret: string) => async () => {
  const token = signToken({ claims: { read: ['room'] } }, secret)
  const client = await Client.dial('reader', `ws://127.0.0.1:${philotePort}/?auth=${token}`)
  onTestFinished(() => client.socket.terminate())
  return client.isOpen
}

const level = async ({ app }: TestServer): Promise<string> => Promise.resolve(app.http.log.level)

const EFFECTS: Readonly<Record<Reloaded, Effect>> = {
  secret: { after: { secret: 'new' }, observe: signedWith('new'), becomes: [401, 200] },
  secret_fallbacks: {
    after: { secret_fallbacks: 'other' },
    observe: signedWith('other'),
    becomes: [401, 200],
  },
  admin_user: {
    after: { admin_user: 'root' },
    observe: signInAs('root', 'admin_secret'),
    becomes: [false, true],
  },
  admin_secret: { after: { admin_secret: 'new' }, observe: session(), becomes: [200, 302] },
  admin_secret_fallbacks: {
    after: { admin_secret: 'new', admin_secret_fallbacks: 'admin_secret' },
    observe: session(),
    becomes: [200, 200],
  },
  cookie_secret: { after: { cookie_secret: 'new' }, observe: session(), becomes: [200, 302] },
  webhook_secret: {
    before: { webhook_secret: 'one' },
    after: { webhook_secret: 'two' },
    observe: webhookSignature,
    becomes: ['one', 'two'],
  },
  webhook_secret_fallbacks: {
    before: { webhook_secret: 'one' },
    after: { webhook_secret_fallbacks: 'two' },
    observe: webhookSignature,
    becomes: ['one', 'one,two'],
  },
  philote_secret: {
    before: { philote_secret: 'one' },
    after: { philote_secret: 'two' },
    observe: philoteToken('two'),
    becomes: [false, true],
  },
  philote_secret_fallbacks: {
    before: { philote_secret: 'one' },
    after: { philote_secret_fallbacks: 'two' },
    observe: philoteToken('two'),
    becomes: [false, true],
  },
  allow_posting_from: {
    after: { allow_posting_from: '192.0.2.1' },
    observe: statusOf('POST /info', undefined),
    becomes: [200, 403],
  },
  allow_metrics_from: {
    after: { allow_metrics_from: '192.0.2.1' },
    observe: async (server) => (await send(server, 'GET /metrics')).status,
    becomes: [200, 403],
  },
  trusted_proxies: {
    after: { trusted_proxies: '127.0.0.1' },
    observe: async (server) =>
      (await info(server, { headers: { 'x-forwarded-for': '192.0.2.1' } })).status,
    becomes: [200, 403],
  },
  allow_cors: {
    after: { allow_cors: 'https://app.example.com' },
    observe: async (server) => {
      const headers = { origin: 'https://evil.example.net' }
      const answer = await send(server, 'GET /health', { headers })
      return answer.headers['access-control-allow-origin']
    },
    becomes: ['*', undefined],
  },
  validate_requests: {
    after: { validate_requests: false },
    observe: async (server) => {
      const headers = signature({ atSeconds: 1_500_000_000 })
      return (await send(server, 'POST /info', { headers })).status
    },
    becomes: [401, 200],
  },
  signature_scope: {
    after: { signature_scope: 'endpoint' },
    observe: statusOf('POST /info', undefined),
    becomes: [200, 401],
  },
  enforce_https: {
    after: { enforce_https: true },
    observe: statusOf('POST /info', undefined),
    becomes: [200, 406],
  },
  channel_settings: {
    after: { channel_settings: '{"chat-*": {"history_size": 7}}' },
    observe: settingsOf('chat-', 'history_size'),
    becomes: [10, 7],
  },
  allow_unlisted_channels: {
    before: { channel_settings: '{"chat-*": {}}' },
    after: { allow_unlisted_channels: false },
    observe: statusOf('POST /connect', { username: 'ann', channels: ['other'] }),
    becomes: [200, 422],
  },
  history_ttl: {
    after: { history_ttl: 60 },
    observe: settingsOf('room', 'history_ttl'),
    becomes: [0, 60],
  },
  debug: {
    before: { log_level: 'fatal' },
    after: { debug: true },
    observe: level,
    becomes: ['fatal', 'debug'],
  },
  log_level: { after: { log_level: 'silent' }, observe: level, becomes: ['fatal', 'silent'] },
  max_sockets: {
    after: { max_sockets: 17 },
    observe: async ({ app }) => Promise.resolve(Math.min(app.limits.figures.most, 18)),
    becomes: [18, 17],
  },
  max_sockets_per_address: {
    after: { max_sockets_per_address: 1 },
    observe: openSockets(2),
    becomes: [OK, 'HTTP/1.1 429 Too Many Requests'],
  },
  max_new_sockets_per_second: {
    after: { max_new_sockets_per_second: 1 },
    observe: openSockets(30),
    becomes: [OK, 'HTTP/1.1 503 Service Unavailable'],
  },
  max_messages_per_request: {
    after: { max_messages_per_request: 1 },
    observe: statusOf('POST /message', messages(2)),
    becomes: [200, 422],
  },
  max_users_per_message: {
    after: { max_users_per_message: 1 },
    observe: statusOf('POST /message', messages(1, { pm_users: ['ann', 'bob'] })),
    becomes: [200, 422],
  },
  max_channels_per_request: {
    after: { max_channels_per_request: 1 },
    observe: statusOf('POST /connect', { username: 'ann', channels: ['a', 'b'] }),
    becomes: [200, 422],
  },
  max_channels_per_message: {
    after: { max_channels_per_message: 1 },
    observe: statusOf('POST /message', [{ user: 'ann', channels: ['a', 'b'], message: {} }]),
    becomes: [200, 422],
  },
  max_counts_per_request: {
    after: { max_counts_per_request: 1 },
    observe: statusOf('POST /info', { channels: ['a', 'b'], counts: true }),
    becomes: [200, 422],
  },
  max_history_size: {
    after: { max_history_size: 50 },
    observe: statusOf('POST /channel_config', { room: { history_size: 51 } }),
    becomes: [200, 422],
  },
  max_connections_per_user: {
    after: { max_connections_per_user: 1 },
    observe: statusOf('POST /connect', { username: 'ann' }),
    becomes: [200, 429],
  },
  max_channels_per_user: {
    after: { max_channels_per_user: 1 },
    observe: statusOfTwoChannels,
    becomes: [200, 429],
  },
  message_rate_per_user: {
    before: { message_burst_per_user: 1 },
    after: { message_rate_per_user: 0.001 },
    observe: statusOf('POST /message', messages(2)),
    becomes: [200, 422],
  },
  message_burst_per_user: {
    before: { message_rate_per_user: 0.001, message_burst_per_user: 2 },
    after: { message_burst_per_user: 1 },
    observe: statusOf('POST /message', messages(2)),
    becomes: [200, 422],
  },
  unlimited_users: {
    before: { max_channels_per_user: 1 },
    after: { unlimited_users: 'ann' },
    observe: statusOf('POST /connect', { username: 'ann', channels: ['a', 'b'] }),
    becomes: [429, 200],
  },
}

afterEach(() => closeClients())

/** Settings that a test needs before and after. */
async function surroundings(name: Reloaded): Promise<ConfigInput> {
  if (name.startsWith('webhook')) {
    receiver = await WebhookReceiver.start()
    return { webhook_url: receiver.url, webhook_events: 'user_online' }
  }
  if (!name.startsWith('philote')) return {}
  philotePort = await freePort()
  return { philote_port: philotePort }
}

describe('a running server that reads its configuration again', () => {
  it.each(RELOADED_SETTINGS)('takes another %s', async (name) => {
    const { before = {}, after, observe, becomes } = EFFECTS[name]
    const start = { ...(await surroundings(name)), ...before }
    const server = await startServer(start)
    onTestFinished(() => server.close())
    const first = await observe(server)
    const changes = await server.app.reload(parseConfig({ ...BASE, ...start, ...after }))
    expect([first, await observe(server)]).toEqual(becomes)
    expect(changes.applied).toContain(name)
    expect(changes.needRestart).toEqual([])
  })

  it('takes back what it took', async () => {
    const server = await startServer()
    onTestFinished(() => server.close())
    for (const secret of ['new', 'secret']) {
      await server.app.reload(parseConfig({ ...BASE, secret }))
      expect((await info(server, {}, secret)).status).toBe(200)
    }
    expect((await info(server, {}, 'new')).status).toBe(401)
  })

  it('says which values need a restart each time, until they are as they were', async () => {
    const server = await startServer()
    onTestFinished(() => server.close())
    const read = (settings: ConfigInput) => server.app.reload(parseConfig({ ...BASE, ...settings }))
    const changed = { port: 1234, max_outbox_bytes: 5_000_000, secret: 'new' }
    expect((await read(changed)).needRestart).toEqual(['port', 'max_outbox_bytes'])
    const { applied, needRestart } = await read(changed)
    expect([applied, needRestart]).toEqual([[], ['port', 'max_outbox_bytes']])
    expect((await read({})).needRestart).toEqual([])
  })

  it('goes on with its check of signatures if a new one is not ready in time', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'channelstream-checker-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const module = join(folder, 'slow.mjs')
    writeFileSync(module, SLOW_CHECKER)
    const clock = new ManualClock()
    const server = await startServer({ signature_checker: module }, clock)
    onTestFinished(() => server.close())
    const read = parseConfig({ ...BASE, signature_checker: module, secret: 'new' })
    const reloading = server.app.reload(read)
    const refused = expect(reloading).rejects.toThrow('not ready after 10 s')
    await clock.advance(10_000)
    await refused
    expect((await server.app.reload(read)).applied).toEqual(['secret'])
  })

  it('describes its API with the new limits', async () => {
    const server = await startServer()
    onTestFinished(() => server.close())
    const maxItems = async () => {
      const { text } = await new Backend(server).send('GET /openapi.json')
      return /"x-setting":"max_messages_per_request"[^{}]*"maxItems":(\d+)/.exec(text)?.[1] ?? text
    }
    const before = await maxItems()
    await server.app.reload(parseConfig({ ...BASE, max_messages_per_request: 77 }))
    expect([before, await maxItems()]).toEqual(['5000', '77'])
  })

  it('keeps its clients and their connections', async () => {
    const server = await startServer()
    onTestFinished(() => server.close())
    const connId = await new Backend(server).connect('ann', ['room'])
    const ann = await Listener.open(server, connId)
    await server.app.reload(parseConfig({ ...BASE, secret: 'new', allow_cors: 'example.com' }))
    await new Backend(server, 'new').say('room', 'hello')
    await ann.heard('hello')
    expect(ann.ending).toBeUndefined()
  })
})
