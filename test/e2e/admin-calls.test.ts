/** Users who are signed in to the admin panel may do what the backend may, but only from the panel’s own pages. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Admin } from '../helpers/admin.ts'
import { Backend, send } from '../helpers/http.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'

let server: ServerProcess
let admin: Admin

beforeAll(async () => {
  // Signatures from this address do not count, so everything that is allowed is allowed for the panel.
  server = await ServerProcess.start({ settings: { allow_posting_from: '10.9.9.9' } })
  admin = await Admin.signIn(server)
})
afterAll(killProcesses)

const CALLS: readonly [string, unknown][] = [
  ['POST /info', { info: {} }],
  ['POST /connect', { username: 'ann', channels: ['room'] }],
  ['POST /channel_config', { room: { store_history: true } }],
  ['POST /message', [{ user: 'ann', channel: 'room', message: {} }]],
  ['PATCH /message', []],
  ['DELETE /message', []],
  ['POST /user_state', { user: 'ann', user_state: { a: 1 } }],
]

describe('a call of the admin panel', () => {
  it('does what a backend’s does, from wherever the browser is', async () => {
    const signed = await new Backend(server).send('POST /info')
    expect(signed.status).toBe(403)
    for (const [line, json] of CALLS)
      expect((await admin.call(line, { json })).status, line).toBe(200)
  })

  it.each([
    ['the header', { 'x-channelstream-admin': undefined }],
    ['the right header', { 'x-channelstream-admin': '0' }],
    ['a cookie', { cookie: undefined }],
    ['a good cookie', { cookie: 'channelstream_admin=x.y.z' }],
  ])('is nobody’s without %s', async (_, headers) => {
    for (const [line, json] of CALLS)
      expect((await admin.call(line, { json, headers })).status, line).toBe(403)
  })

  it('is nobody’s after signing out', async () => {
    const other = await Admin.signIn(server)
    expect((await other.call('POST /info')).status).toBe(200)
    await other.signOut()
    expect((await other.call('POST /info')).status).toBe(403)
  })

  it.each([
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'cross-site', origin: undefined },
    { origin: 'https://evil.example' },
    { origin: 'null' },
  ])('is refused if a page of another site makes it: %j', async (headers) => {
    for (const [line, json] of CALLS)
      expect((await admin.call(line, { json, headers })).status, line).toBe(403)
  })

  it('comes from the panel’s own page', async () => {
    const origin = server.url
    for (const headers of [{ origin }, { origin, 'sec-fetch-site': 'same-origin' }])
      expect((await admin.call('POST /info', { headers })).status).toBe(200)
  })

  it('does not make a bad signature good', async () => {
    const { status } = await admin.call('POST /info', {
      headers: { 'x-channelstream-secret': 'a.b.c' },
    })
    expect([401, 200]).toContain(status)
    const local = await startServer()
    const signedIn = await Admin.signIn(local)
    const headers = { 'x-channelstream-secret': 'a.b.c' }
    expect((await signedIn.call('POST /info', { headers })).status).toBe(401)
    await local.close()
  })
})

describe('a browser that asks first, for a page of another site', () => {
  it.each(['', '*', 'evil.example', 'https://evil.example'])(
    'is never told that the panel’s header is allowed (allow_cors = %j)',
    async (allow_cors) => {
      const asked = await startServer(allow_cors === '' ? {} : { allow_cors })
      for (const path of ['/message', '/info', '/channel_config', '/admin/users.json']) {
        const { headers } = await send(asked, `OPTIONS ${path}`, {
          headers: {
            origin: 'https://evil.example',
            'access-control-request-method': 'POST',
            'access-control-request-headers': 'x-channelstream-admin',
          },
        })
        expect(headers['access-control-allow-origin']).toBe('*')
        expect(headers['access-control-allow-headers']).not.toMatch(/\*|x-channelstream/i)
        expect(headers).not.toHaveProperty('access-control-allow-credentials')
      }
      await asked.close()
    },
  )
})
