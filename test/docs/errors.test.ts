import { describe, expect, it, onTestFinished } from 'vitest'
import { createSigner } from '../../src/http/signature.ts'
import { ERRORS } from '../../src/protocol/errors.ts'
import { startServer } from '../helpers/server.ts'
import { RawClient } from '../helpers/websocket.ts'
import { fencesIn, headingsOf, readPage, sectionOf } from './markdown.ts'
import type { ConfigInput } from '../../src/config/load.ts'
import type { ErrorCode } from '../../src/protocol/errors.ts'

const page = await readPage('docs/errors.md')
const codes = Object.keys(ERRORS) as ErrorCode[]
const bodyOf = (code: ErrorCode): unknown =>
  JSON.parse(fencesIn(sectionOf(page, code), 'json')[0] ?? '')

interface Provocation {
  readonly path: string
  readonly settings?: ConfigInput
  readonly init?: RequestInit
  readonly isSigned?: boolean
  /** How many times to send the request before. */
  readonly before?: number
  /** Whether another client holds a socket open meanwhile. */
  readonly hasOtherSocket?: boolean
}

const post = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) => ({
  method: 'POST',
  body,
  headers,
})
const UNKNOWN = '00000000-0000-0000-0000-000000000000'
const FOREIGN = { origin: 'https://example.org' }
const WRONG_FIELDS = JSON.stringify({
  channels: ['lobby', ''],
  channel_configs: { lobby: { history_size: 'many' } },
})

/** The bodies of these name fields. `PROVOCATIONS` has all of them. */
const WITH_FIELDS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'INVALID',
  'NOT_JSON',
  'TOO_MANY_CHANNELS',
  'TOO_MANY_CONNECTIONS',
  'TOO_MANY_MESSAGES',
])

/** A request that causes each error. Excludes faults of the server, and codes that no answer has yet. */
const PROVOCATIONS: Partial<Record<ErrorCode, Provocation>> = {
  UNREADABLE: { path: '/%zz' },
  NOT_JSON: { path: '/connect', init: post(new Uint8Array([0xff])), isSigned: true },
  BAD_IDEMPOTENCY_KEY: {
    path: '/connect',
    init: post('{}', { 'idempotency-key': 'two words' }),
    isSigned: true,
  },
  BAD_SIGNATURE: { path: '/info', init: { headers: { 'x-channelstream-secret': 'a.b.c' } } },
  UNKNOWN_CONNECTION: { path: `/listen?conn_id=${UNKNOWN}` },
  FORBIDDEN: { path: '/info' },
  ADDRESS_NOT_ALLOWED: {
    path: '/info',
    settings: { allow_posting_from: '192.0.2.1' },
    isSigned: true,
  },
  FOREIGN_ORIGIN: {
    path: `/listen?conn_id=${UNKNOWN}`,
    settings: { allow_cors: 'example.com' },
    init: { headers: FOREIGN },
  },
  NOT_FOUND: { path: '/connect' },
  HTTPS_REQUIRED: { path: '/info', settings: { enforce_https: true } },
  OUTDATED_ID: {
    path: '/history',
    init: post('{"channel": "lobby", "before": "776be6de04bd-41"}'),
    isSigned: true,
  },
  TOO_LARGE: {
    path: '/connect',
    settings: { max_body_bytes: 10 },
    init: post(WRONG_FIELDS),
    isSigned: true,
  },
  ENCODED_BODY: {
    path: '/connect',
    init: { ...post(WRONG_FIELDS), headers: { 'content-encoding': 'gzip' } },
    isSigned: true,
  },
  UPGRADE_REQUIRED: { path: '/ws' },
  INVALID: { path: '/connect', init: post(WRONG_FIELDS), isSigned: true },
  TOO_MANY_CONNECTIONS: {
    path: '/connect',
    settings: { max_connections_per_user: 5 },
    init: post(JSON.stringify({ username: 'ann' })),
    isSigned: true,
    before: 5,
  },
  TOO_MANY_CHANNELS: {
    path: '/connect',
    settings: { max_channels_per_user: 2 },
    init: post(JSON.stringify({ username: 'ann', channels: ['a', 'b', 'c'] })),
    isSigned: true,
  },
  TOO_MANY_MESSAGES: {
    path: '/message',
    settings: { message_rate_per_user: 0.1, message_burst_per_user: 2, unlimited_users: 'bob' },
    init: post(
      JSON.stringify([
        { user: 'bob', channel: 'lobby' },
        { user: 'ann', channel: 'lobby' },
      ]),
    ),
    isSigned: true,
    before: 2,
  },
  TOO_MANY_ATTEMPTS: {
    path: '/admin/sign_in',
    init: post('username=admin&password=wrong'),
    before: 10,
  },
  TOO_MANY_SOCKETS: {
    path: '/health',
    settings: { max_sockets_per_address: 1, allow_posting_from: '192.0.2.1' },
    hasOtherSocket: true,
  },
  SERVER_FULL: { path: '/health', settings: { max_sockets: 1 }, hasOtherSocket: true },
}

describe('docs/errors.md', () => {
  it('has a heading for every error, and for no others', () => {
    const headings = headingsOf(page).filter(({ level }) => level === 3)
    expect(headings.map(({ text }) => text).toSorted()).toEqual(codes.toSorted())
  })

  it.each(codes)('tells status, advice and body of %s', (code) => {
    const { status, retry, text } = ERRORS[code]
    const advice = retry ? 'Repeat later' : 'Do not repeat'
    expect(sectionOf(page, code).trim()).toMatch(new RegExp(`^Status ${status}\\. ${advice}\\.\n`))
    if (!WITH_FIELDS.has(code)) expect(bodyOf(code)).toEqual({ request: text })
  })

  it.each(Object.entries(PROVOCATIONS))('shows the answer %s', async (code, provocation) => {
    const {
      path,
      settings,
      init,
      isSigned = false,
      before = 0,
      hasOtherSocket = false,
    } = provocation
    const server = await startServer(settings)
    onTestFinished(() => server.close())
    const ask = (): Promise<Response> =>
      fetch(server.url + path, { ...init, headers: { ...signature(isSigned), ...init?.headers } })
    const beside = hasOtherSocket ? await RawClient.connect(server) : undefined
    onTestFinished(() => beside?.destroy())
    await Promise.all(Array.from({ length: before }, ask))
    const answer = await ask()
    expect(answer.status).toBe(ERRORS[code as ErrorCode].status)
    expect(withoutTimes(await answer.json())).toEqual(withoutTimes(bodyOf(code as ErrorCode)))
  })
})

/** How long to wait depends on how busy this machine is. */
const withoutTimes = (body: unknown): unknown =>
  JSON.parse(JSON.stringify(body).replace(/Wait \d+ seconds/, 'Wait N seconds'))

const signature = (isSigned: boolean): Record<string, string> =>
  isSigned
    ? { 'x-channelstream-secret': createSigner('secret').sign('test', Date.now() / 1000) }
    : {}
