import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Backend, send } from '../helpers/http.ts'
import { startServer } from '../helpers/server.ts'
import type { TestServer } from '../helpers/server.ts'

const HTML = { accept: 'text/html,application/xhtml+xml' }
let server: TestServer
beforeAll(async () => void (server = await startServer({ trusted_proxies: '127.0.0.1' })))
afterAll(() => server.close())

const get = (path: string, headers: Readonly<Record<string, string>>) =>
  send(server, `GET ${path}`, { headers })

describe('/', () => {
  it('is a page for browsers, without scripts, with links that lead somewhere', async () => {
    const { status, headers, text } = await get('/', HTML)
    expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8'])
    expect(headers['content-security-policy']).toContain("default-src 'none'")
    expect(headers['cache-control']).toBe('no-store')
    expect(text).toContain('The server works.')
    const links = [...text.matchAll(/href="([^"]+)"/g)].map(([, href = '']) => href)
    expect(links).toEqual(['/admin', '/api-explorer', '/client/channelstream.js'])
    for (const link of links) expect([200, 302]).toContain((await get(link, HTML)).status)
  })

  it('is JSON for programs, with paths as they see them', async () => {
    const { status, body } = await get('/', { accept: '*/*', 'x-script-name': '/push' })
    expect(status).toBe(200)
    expect(body).toEqual({
      name: 'channelstream',
      status: 'ok',
      admin: '/push/admin',
      api_explorer: '/push/api-explorer',
      client: '/push/client/channelstream.js',
    })
  })

  it('is unknown to programs that say nothing about what they accept, as recorded', async () => {
    expect((await get('/', {})).status).toBe(404)
  })

  it('answers HEAD, and no other method', async () => {
    const headers = { accept: '*/*' }
    expect((await send(server, 'HEAD /', { headers })).status).toBe(200)
    expect((await send(server, 'POST /', { headers, json: {} })).status).toBe(404)
  })
})

describe('signing in', () => {
  const form = new URLSearchParams({ username: 'admin', password: 'admin_secret' }).toString()
  const signIn = async (path: string) =>
    (await send(server, `POST ${path}`, { body: form })).headers.location

  it.each(['/api-explorer', '/api-explorer/', '/admin/debug', '/admin/admin.json'])(
    'leads a browser to %s, where it wanted to go',
    async (path) => {
      const { headers } = await get(path, HTML)
      expect(headers.location).toBe(`/admin/sign_in?next=${encodeURIComponent(path)}`)
      expect(await signIn(String(headers.location))).toBe(path)
    },
  )

  it.each([
    '//evil.example.net',
    'https://evil.example.net',
    '/\\evil.example.net',
    '/admin/sign_out',
    'javascript:alert(1)',
    '',
  ])('never leads to %j', async (next) => {
    expect(await signIn(`/admin/sign_in?next=${encodeURIComponent(next)}`)).toBe('/admin')
  })

  it('sends programs to the form alone, as recorded', async () => {
    expect((await get('/api-explorer', {})).headers.location).toBe('/admin/sign_in')
  })
})

it('says at / that the store does not answer', async () => {
  const { app } = server
  expect((await new Backend(server).send('GET /health')).status).toBe(200)
  const figures = app.hub.figures.bind(app.hub)
  const { StoreUnavailable } = await import('../../src/store/store.ts')
  app.hub.figures = () => Promise.reject(new StoreUnavailable())
  const [page, json] = [await get('/', HTML), await get('/', { accept: 'application/json' })]
  app.hub.figures = figures
  expect(page.text).toContain('The store does not answer.')
  expect(json.body).toMatchObject({ status: 'unavailable' })
})
