/** What SECURITY.md promises about callers without a signature, cookie, token or conn_id. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Backend, send } from '../helpers/http.ts'
import { startServer } from '../helpers/server.ts'
import type { TestServer } from '../helpers/server.ts'

/** Includes methods that are not documented, because some routes accept any method. */
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD']
/** Pages and what belongs to them. The OpenAPI document leaves most of them out. */
const HIDDEN = [
  '/',
  '/admin',
  '/admin/admin.json',
  '/admin/debug',
  '/admin/sign_in',
  '/admin/sign_out',
  '/admin/live',
  '/api-explorer',
  '/api-explorer/',
  '/api-explorer/json',
  '/openapi.json',
]
/** Sign-in, health, and the end of an unknown connection. */
const OPEN = [
  'GET /admin/sign_in',
  'GET /health',
  'GET /health/live',
  'GET /health/ready',
  'HEAD /admin/sign_in',
  'HEAD /health',
  'HEAD /health/live',
  'HEAD /health/ready',
  'POST /admin/sign_in',
  'POST /disconnect',
]
const PROBES: Readonly<Record<string, object>> = {
  '/connect': { username: 'mallory', channels: ['stolen'] },
  '/subscribe': { conn_id: crypto.randomUUID(), channels: ['room'] },
  '/unsubscribe': { conn_id: crypto.randomUUID(), channels: ['room'] },
  '/disconnect': { conn_id: crypto.randomUUID() },
  '/user_state': { username: 'alice', user_state: { stolen: true } },
  '/channel_config': { room: { notify_presence: true } },
  '/message': {},
}

describe('a stranger', { timeout: 90_000 }, () => {
  let server: TestServer
  let backend: Backend
  let paths: string[]

  beforeAll(async () => {
    server = await startServer({ wake_connections_after: 0.05, allow_metrics_from: '192.0.2.1' })
    backend = new Backend(server)
    await backend.connect('alice', ['room'])
    await backend.say('room', 'a secret')
    const described = await backend.call<{ paths: object }>('GET /openapi.json')
    paths = [...Object.keys(described.paths), ...HIDDEN]
  })
  afterAll(() => server.close())

  it('is told nothing by any path, and changes nothing', async () => {
    const before = await backend.facts()
    const open = new Set<string>()
    for (const path of paths)
      for (const method of METHODS) {
        const json = PROBES[path] ?? [{ user: 'mallory', channel: 'room', message: {} }]
        const sending = method === 'GET' || method === 'HEAD' ? {} : { json }
        const answer = await send(server, `${method} ${path}`, sending)
        expect(answer.text).not.toMatch(/alice|a secret/)
        if (answer.status === 302) expect(answer.headers.location).toMatch(/\/admin\/sign_in$/)
        else if (answer.status < 400) open.add(`${method} ${path}`)
      }
    expect([...open].toSorted()).toEqual(OPEN)
    expect(await backend.facts()).toEqual(before)
  })

  it('learns nothing of a connection by a conn_id that there is none of', async () => {
    const unknown = crypto.randomUUID()
    expect((await send(server, `GET /listen?conn_id=${unknown}`)).status).toBe(401)
    expect((await send(server, `GET /disconnect?conn_id=${unknown}`)).text).toBe('false')
  })

  it('may ask any path what it allows, and gets the same answer', async () => {
    const answers = new Set<string>()
    for (const path of [...paths, '/nowhere'])
      answers.add(JSON.stringify((await send(server, `OPTIONS ${path}`)).status))
    expect([...answers]).toEqual(['200'])
  })
})
