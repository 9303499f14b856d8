/** Every error that the server describes at a route, provoked at this route. */
import { createConnection } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Admin } from '../helpers/admin.ts'
import { Backend, send, signature } from '../helpers/http.ts'
import { Description } from '../helpers/openapi.ts'
import { RedisServer, stopRedisServers } from '../helpers/redis.ts'
import { startServer } from '../helpers/server.ts'
import type { ConfigInput } from '../../src/config/load.ts'
import type { Answer, Sending } from '../helpers/http.ts'
import type { Described } from '../helpers/openapi.ts'
import type { TestServer } from '../helpers/server.ts'

/** Those that are not provoked here, and why. */
const ELSEWHERE = new Map([
  [
    '408 UNREADABLE',
    'Takes longer than the timeout of the server. See test/abuse/malformed.test.ts.',
  ],
  [
    '429 TOO_MANY_SOCKETS',
    'Comes before the line of the request. See test/e2e/socket-limits.test.ts.',
  ],
  ['500 INTERNAL', 'Needs a fault of the server. See test/http/idempotency.test.ts.'],
  ['503 SERVER_FULL', 'Comes before the line of the request. See test/e2e/socket-limits.test.ts.'],
  ['503 STOPPING', 'Comes only in the moment in which a server stops.'],
  ['503 BUSY', 'Needs other bodies under way. See test/abuse/unfinished-bodies.test.ts.'],
])

const UNKNOWN = '11111111-2222-3333-4444-555555555555'
const UPGRADE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
}
const QUERIES = new Map([
  ['GET /disconnect', `?conn_id=${UNKNOWN}`],
  ['GET /listen', `?conn_id=${UNKNOWN}`],
  ['GET /sse', `?conn_id=${UNKNOWN}`],
  ['GET /ws', `?conn_id=${UNKNOWN}`],
])
const INVALID_QUERIES = new Map([
  ['GET /disconnect', '?conn_id=x'],
  ['GET /listen', '?conn_id=x'],
  ['GET /sse', '?conn_id=x'],
  ['GET /ws', '?conn_id=x'],
  ['GET /admin/channels.json', '?limit=0'],
  ['GET /admin/users.json', '?limit=0'],
])
const isWebSocket = (line: string): boolean => line === 'GET /ws' || line === 'GET /admin/live'

let plain: TestServer
let strict: TestServer
let https: TestServer
let elsewhere: TestServer
let description: Description

const STRICT: ConfigInput = {
  allow_cors: ['example.com'],
  allow_metrics_from: ['10.0.0.1'],
  max_body_bytes: 2_000,
  max_connections_per_user: 1,
  max_channels_per_user: 1,
  message_rate_per_user: 0.001,
  message_burst_per_user: 1,
}

beforeAll(async () => {
  plain = await startServer()
  strict = await startServer(STRICT)
  https = await startServer({ enforce_https: true })
  elsewhere = await startServer({ allow_posting_from: '192.0.2.1' })
  description = await Description.of(plain)
})
afterAll(async () => {
  await Promise.all([plain, strict, https, elsewhere].map((server) => server.close()))
  await stopRedisServers()
})

const signed = (server: TestServer, line: string, sending: Sending = {}): Promise<Answer> =>
  new Backend(server).send(line, sending)
const example = ({ requestBody }: Described): unknown =>
  requestBody?.content['application/json']?.example
/** A request as it should be, by its examples. */
const asked = (operation: Described, sending: Sending = {}): Sending =>
  operation.requestBody ? { json: example(operation), ...sending } : sending
const lineOf = ({ line }: Described): string => line + (QUERIES.get(line) ?? '')

async function overLimit(line: string, bodies: readonly unknown[]): Promise<Answer> {
  const answers: Answer[] = []
  for (const json of bodies) answers.push(await signed(strict, line, { json }))
  return answers.at(-1) as Answer
}

/** Sends bytes that are not HTTP after the line of the request. */
async function malformed({ line }: Described): Promise<Answer> {
  const { port, host } = plain
  const socket = createConnection(port, host)
  socket.end(`${line} HTTP/1.1\r\nnot a header\r\n\r\n`)
  const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n')
  const [start = '', ...lines] = head.split('\r\n')
  const headers = lines.map((each) => each.split(': ') as [string, string])
  return {
    status: Number(start.split(' ')[1]),
    headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
    text: body,
    body: JSON.parse(body) as unknown,
  }
}

async function reusedKey(operation: Described): Promise<Answer> {
  const headers = { 'idempotency-key': crypto.randomUUID() }
  await signed(plain, 'POST /connect', {
    json: { username: 'ann', channels: ['lobby'], conn_id: CONN_ID },
  })
  const first = await signed(plain, operation.line, asked(operation, { headers }))
  expect(first.status, `${operation.line}: ${first.text}`).toBe(200)
  return signed(plain, operation.line, { json: { other: true }, headers })
}
const CONN_ID = '3b8f2a6e-5d0c-4f7a-9a44-0f3f3c1f7d10'

function unsigned(operation: Described): Promise<Answer> {
  if (operation.line === 'POST /disconnect')
    return send(plain, operation.line, { json: { username: 'ann' } })
  return send(strict, lineOf(operation), asked(operation))
}

function invalid(operation: Described): Promise<Answer> {
  const headers = isWebSocket(operation.line) ? UPGRADE : {}
  const line = operation.line + (INVALID_QUERIES.get(operation.line) ?? '')
  return signed(plain, line, operation.requestBody ? { json: 7 } : { headers })
}

function foreign(operation: Described): Promise<Answer> {
  const headers = isWebSocket(operation.line) ? UPGRADE : {}
  return send(strict, lineOf(operation), { headers: { ...headers, origin: 'https://evil.net' } })
}

/** By status and code. */
const PROVOKED: Readonly<Record<string, (operation: Described) => Promise<Answer>>> = {
  '400 UNREADABLE': malformed,
  '400 NOT_JSON': ({ line }) => signed(plain, line, { body: '{' }),
  '400 BAD_IDEMPOTENCY_KEY': (operation) =>
    signed(plain, operation.line, asked(operation, { headers: { 'idempotency-key': 'a b' } })),
  '401 BAD_SIGNATURE': (operation) =>
    send(plain, lineOf(operation), asked(operation, { headers: signature({ secret: 'another' }) })),
  '401 UNKNOWN_CONNECTION': (operation) => signed(plain, lineOf(operation)),
  '403 FORBIDDEN': unsigned,
  '403 ADDRESS_NOT_ALLOWED': (operation) => signed(elsewhere, lineOf(operation), asked(operation)),
  '403 FOREIGN_ORIGIN': foreign,
  '406 HTTPS_REQUIRED': (operation) => signed(https, lineOf(operation), asked(operation)),
  '410 OUTDATED_ID': async ({ line }) => {
    await signed(plain, 'POST /connect', { json: { username: 'ann', channels: ['lobby'] } })
    return signed(plain, line, { json: { channel: 'lobby', after: '776be6de04bd-41' } })
  },
  '413 TOO_LARGE': ({ line }) => signed(strict, line, { json: 'x'.repeat(3_000) }),
  '415 ENCODED_BODY': ({ line }) =>
    signed(plain, line, { json: {}, headers: { 'content-encoding': 'gzip' } }),
  '422 INVALID': invalid,
  '422 IDEMPOTENCY_KEY_REUSED': reusedKey,
  '426 UPGRADE_REQUIRED': (operation) => signed(plain, lineOf(operation)),
  '429 TOO_MANY_CONNECTIONS': ({ line }) =>
    overLimit(line, [{ username: 'connected' }, { username: 'connected' }]),
  '429 TOO_MANY_CHANNELS': async ({ line }) => {
    if (line === 'POST /connect') return overLimit(line, [{ username: 'in', channels: ['a', 'b'] }])
    const conn_id = await new Backend(strict).connect('subscribed', ['a'])
    return overLimit(line, [{ conn_id, channels: ['b'] }])
  },
  '429 TOO_MANY_MESSAGES': ({ line }) =>
    overLimit(line, [[{ user: 'u', channel: 'a' }], [{ user: 'u', channel: 'a' }]]),
  '431 UNREADABLE': (operation) =>
    send(plain, lineOf(operation), { headers: { 'x-large': 'x'.repeat(20_000) } }),
}

describe('an error that is described', () => {
  it('is answered at its route, in the form that is described', async () => {
    const seen = new Set<string>()
    for (const operation of description.operations)
      for (const status of Object.keys(operation.responses))
        for (const code of description.codesOf(operation, status)) {
          const key = `${status} ${code}`
          const provoke = PROVOKED[key]
          if (!provoke) {
            expect(ELSEWHERE.has(key) || key === '503 STORE_AWAY', key).toBe(true)
            continue
          }
          const answer = await provoke(operation)
          const what = `${operation.line}, ${key}: ${answer.text.slice(0, 200)}`
          expect(`${answer.status} ${String(answer.headers['x-channelstream-error'])}`, what).toBe(
            key,
          )
          expect(description.faultOf(operation.line, answer), what).toBeUndefined()
          seen.add(key)
        }
    expect([...seen].toSorted()).toEqual(Object.keys(PROVOKED).toSorted())
  })

  it('includes those while the store is away', async () => {
    const redis = await RedisServer.start()
    const server = await startServer({ redis_url: redis.url, redis_prefix: 'away' })
    const { cookie } = await Admin.signIn(server)
    await redis.stop()
    const panel = { cookie, 'x-channelstream-admin': '1' }
    for (const operation of description.operations) {
      const { line } = operation
      const answer = await signed(server, lineOf(operation), asked(operation))
      expect(description.faultOf(line, answer), line).toBeUndefined()
      const called = await send(server, lineOf(operation), asked(operation, { headers: panel }))
      expect(description.faultOf(line, called), line).toBeUndefined()
      expect(called.headers['x-channelstream-error'], line).toBe('STORE_AWAY')
      expect(called.status, line).toBe(line === 'GET /sse' ? 200 : 503)
    }
    const page = await send(server, 'GET /admin/admin.json', {
      headers: { cookie, accept: 'text/html' },
    })
    expect(page.status).toBe(503)
    expect(description.faultOf('GET /admin/admin.json', page)).toBeUndefined()
    await server.close()
  })

  it('includes the redirect of those who are not signed in', async () => {
    for (const line of ['GET /admin/admin.json', 'POST /admin/admin.json']) {
      const answer = await send(plain, line)
      expect(answer.status).toBe(302)
      expect(description.faultOf(line, answer), line).toBeUndefined()
    }
  })
})
