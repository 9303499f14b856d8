import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Backend, send } from '../helpers/http.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'
import type { Address, Answer } from '../helpers/http.ts'
import type { TestServer } from '../helpers/server.ts'

const HOSTILE = [
  '<img src=x onerror=alert(1)>',
  '"><script>alert(1)</script>',
  "' onmouseover='alert(1)",
  '</style></td></table><h1>hello',
  '&lt;b&gt;',
  '{{7*7}}',
]

function signIn(
  server: Address,
  form: Record<string, string>,
  headers: object = {},
): Promise<Answer> {
  const body = new URLSearchParams(form).toString()
  const type = { 'content-type': 'application/x-www-form-urlencoded' }
  return send(server, 'POST /admin/sign_in', { body, headers: { ...type, ...headers } })
}

const RIGHT = { username: 'admin', password: 'admin_secret' }

const cookieOf = ({ headers }: Answer): string => headers['set-cookie']?.[0]?.split(';')[0] ?? ''

describe('the admin pages', () => {
  let server: ServerProcess
  let cookie: string

  beforeAll(async () => {
    server = await ServerProcess.start()
    cookie = cookieOf(await signIn(server, RIGHT))
  })
  afterAll(killProcesses)

  const page = (path: string, headers: object = { cookie }) =>
    send(server, `GET ${path}`, { headers: { ...headers } })

  it('are shown to those who sign in, and to nobody else', async () => {
    for (const path of ['/admin', '/admin/admin.json', '/admin/debug']) {
      expect((await page(path)).status, path).toBe(200)
      for (const other of [
        '',
        'channelstream_admin=',
        'channelstream_admin=x.y.z',
        `${cookie}x`,
        cookie.slice(0, -1),
        cookie.replace('channelstream_admin', 'other'),
      ]) {
        const refused = await page(path, { cookie: other })
        expect(refused.status, `${path} ${other}`).toBe(302)
        expect(refused.headers.location).toBe('/admin/sign_in')
        expect(refused.text).not.toMatch(/cs-app|rss|total_/)
      }
    }
  })

  it('are not opened by a signature that is none, nor the API by their cookie', async () => {
    const value = cookie.split('=')[1] ?? ''
    const headers = { 'x-channelstream-secret': value }
    expect((await send(server, 'POST /info', { headers })).status).toBe(401)
    expect((await send(server, 'POST /info', { headers: { cookie } })).status).toBe(403)
    expect((await page('/admin', { 'x-channelstream-secret': 'x' })).status).toBe(401)
  })

  it('have a cookie that scripts and other sites do not get', async () => {
    const header = (await signIn(server, RIGHT)).headers['set-cookie']?.[0] ?? ''
    const attributes = header.split('; ').slice(1)
    expect(attributes).toContain('HttpOnly')
    expect(attributes.some((attribute) => /^SameSite=(Lax|Strict)$/.test(attribute))).toBe(true)
    expect(attributes).toContain('Path=/')
    expect(attributes.join()).not.toMatch(/Domain/i)
    const secure = await signIn(server, RIGHT, { 'x-scheme': 'https' })
    expect(secure.headers['set-cookie']?.[0]).toMatch(/; Secure$/)
  })

  it('are left by signing out: the cookie is worth nothing from then on, others are', async () => {
    const mine = cookieOf(await signIn(server, RIGHT))
    const out = await send(server, 'POST /admin/sign_out', { headers: { cookie: mine } })
    expect(out.status).toBe(302)
    expect(out.headers['set-cookie']?.[0]).toMatch(/Max-Age=0/)
    expect((await page('/admin', { cookie: mine })).status).toBe(302)
    expect((await page('/admin')).status).toBe(200)
  })

  it('have no cookie that is good twice: signing in again ends the session before', async () => {
    const first = cookieOf(await signIn(server, RIGHT))
    const second = cookieOf(await signIn(server, RIGHT, { cookie: first }))
    expect(second).not.toBe(first)
    expect((await page('/admin', { cookie: first })).status).toBe(302)
    expect((await page('/admin', { cookie: second })).status).toBe(200)
  })

  it('take no session that somebody else has chosen', async () => {
    const chosen = cookie.replace(/=.*/, `=${'A'.repeat(43)}`)
    const answer = await signIn(server, RIGHT, { cookie: chosen })
    expect(cookieOf(answer)).not.toBe(chosen)
    expect((await page('/admin', { cookie: chosen })).status).toBe(302)
  })

  it('refuse forms on other sites', async () => {
    const { host, port } = server
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: `http://${host}:${port + 1}` },
      { origin: 'null' },
      { origin: `http://${host}:${port}.evil.example` },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'cross-site', origin: `http://${host}:${port}` },
    ]) {
      const refused = await signIn(server, RIGHT, headers)
      expect(refused.status, JSON.stringify(headers)).toBe(403)
      expect(refused.headers).not.toHaveProperty('set-cookie')
    }
    for (const headers of [
      {},
      { origin: `http://${host}:${port}` },
      { 'sec-fetch-site': 'same-origin', origin: `http://${host}:${port}` },
    ])
      expect((await signIn(server, RIGHT, headers)).status).toBe(302)
  })

  it('are not left because a page of another site says so', async () => {
    const { host, port } = server
    const mine = cookieOf(await signIn(server, RIGHT))
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: `http://${host}:${port + 1}` },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site', origin: `http://${host}:${port}` },
    ]) {
      const given = { headers: { cookie: mine, ...headers } }
      const refused = await send(server, 'POST /admin/sign_out', given)
      expect(refused.status, JSON.stringify(headers)).toBe(403)
      expect(refused.headers).not.toHaveProperty('set-cookie')
    }
    expect((await page('/admin', { cookie: mine })).status).toBe(200)
  })

  it('ask a browser that comes to /admin/sign_out by a link, and do nothing else', async () => {
    const mine = cookieOf(await signIn(server, RIGHT))
    for (const browser of [
      { accept: 'text/html,application/xhtml+xml' },
      { accept: '*/*', 'accept-language': 'en' },
      { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64)' },
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
      { 'sec-fetch-site': 'same-origin' },
      { referer: 'https://evil.example/' },
      { 'upgrade-insecure-requests': '1' },
    ]) {
      const shown = await page('/admin/sign_out', { cookie: mine, ...browser })
      expect(shown.status, JSON.stringify(browser)).toBe(200)
      expect(shown.headers).not.toHaveProperty('set-cookie')
      expect(shown.text).toContain('<form method="post" action="/admin/sign_out">')
      const nobody = await page('/admin/sign_out', browser)
      expect(nobody).toMatchObject({ status: 302, headers: { location: '/admin/sign_in' } })
    }
    expect((await page('/admin', { cookie: mine })).status).toBe(200)
  })

  it('name no host that the caller has made up', async () => {
    for (const headers of [
      { host: 'evil.example' },
      { host: 'evil.example:80' },
      { host: 'evil.example', 'x-scheme': 'https' },
      { 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' },
    ]) {
      const mine = cookieOf(await signIn(server, RIGHT))
      const answers = [
        await page('/admin', headers),
        await page('/admin/admin.json', headers),
        await page('/api-explorer', headers),
        await page('/api-explorer', { ...headers, cookie: mine }),
        await page('/admin/sign_in', headers),
        await page('/openapi.json', { ...headers, cookie: mine }),
        await signIn(server, RIGHT, headers),
        await send(server, 'POST /admin/sign_out', { headers: { ...headers, cookie: mine } }),
      ]
      for (const answer of answers)
        expect(JSON.stringify([answer.headers, answer.text])).not.toContain('evil.example')
    }
  })

  it('allow no script to sign in, no frame, no other place to send forms to, and no cache', async () => {
    const browser = { accept: 'text/html' }
    for (const answer of [
      await page('/admin/sign_in', {}),
      await page('/admin/sign_out', { cookie, ...browser }),
      await signIn(server, { ...RIGHT, password: 'wrong' }),
    ]) {
      expect(answer.status).toBe(200)
      const policy = String(answer.headers['content-security-policy'])
      expect(policy).toContain("default-src 'none'")
      expect(policy).toContain("form-action 'self'")
      expect(policy).toContain("frame-ancestors 'none'")
      expect(policy).toContain("base-uri 'none'")
      expect(policy).not.toMatch(/unsafe-(inline|eval)|script-src|\*/)
      expect(answer.headers['cache-control']).toBe('no-store')
      expect(answer.headers['x-content-type-options']).toBe('nosniff')
      expect(answer.text).not.toMatch(/<script|\son\w+=|style="/)
    }
  })

  it('allow the panel its own files and nothing else', async () => {
    const answer = await page('/admin')
    const policy = String(answer.headers['content-security-policy'])
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'")
    expect(policy).toContain("connect-src 'self'; form-action 'self'; frame-ancestors 'none'")
    expect(policy).toContain("base-uri 'none'; require-trusted-types-for 'script'")
    expect(policy).not.toMatch(/unsafe|\*|data:|https?:|sha\d/)
    expect(answer.headers['cache-control']).toBe('no-store')
    expect(answer.text).not.toMatch(/<script(?![^>]* src="\.\/admin\/)|\son\w+=|style="|https?:/)
  })

  it('serve the files of the panel, to be kept for long, and no others', async () => {
    const { text } = await page('/admin')
    const assets = [...text.matchAll(/(?:src|href)="\.(\/admin\/assets\/[^"]+)"/g)]
    expect(assets.length).toBeGreaterThan(2)
    for (const [, path = ''] of assets) {
      const { status, headers } = await page(path, {})
      expect(status, path).toBe(200)
      expect(headers['cache-control'], path).toBe('public, max-age=31536000, immutable')
      expect(headers['x-content-type-options'], path).toBe('nosniff')
    }
    for (const path of [
      '/admin/assets',
      '/admin/assets/',
      '/admin/assets/unknown.js',
      '/admin/assets/../../index.html',
      '/admin/assets/%2e%2e/%2e%2e/index.html',
      '/admin/assets/..%2f..%2f..%2fmain.js',
      '/admin/assets//etc/passwd',
      '/admin/assets/%00',
    ]) {
      const answer = await page(path)
      expect([400, 403, 404], path).toContain(answer.status)
      expect(answer.text).not.toMatch(/root:|import /)
    }
  })

  it('show hostile names as text', async () => {
    const backend = new Backend(server)
    for (const name of HOSTILE)
      await backend.connect(name, [name], { user_state: { [name]: name } })
    const { text } = await page('/admin')
    for (const name of HOSTILE) expect(text).not.toContain(name)
    const json = await page('/admin/admin.json')
    expect(json.headers['content-type']).toMatch(/^application\/json/)
    expect(json.headers['x-content-type-options']).toBe('nosniff')
    expect(Object.keys((json.body as { channels: object }).channels)).toEqual(
      expect.arrayContaining(HOSTILE),
    )
  })

  it('show nothing of what a failed sign-in was given', async () => {
    const attempts = HOSTILE.map((name) => signIn(server, { username: name, password: name }))
    for (const { text } of await Promise.all(attempts))
      for (const name of HOSTILE) expect(text).not.toContain(name)
  })
})

describe('signing in to the admin pages', () => {
  it('answers wrong passwords slowly, ten of them in a minute, and none after that', async () => {
    const server = await startServer()
    const began = performance.now()
    const wrong = () => signIn(server, { username: 'admin', password: 'wrong' })
    const answers = await Promise.all(Array.from({ length: 25 }, wrong))
    expect(performance.now() - began).toBeGreaterThan(400)
    const statuses = answers.map(({ status }) => status).sort()
    expect(statuses).toEqual([...Array<number>(10).fill(200), ...Array<number>(15).fill(429)])
    for (const answer of answers) expect(answer.headers).not.toHaveProperty('set-cookie')

    const blocked = await signIn(server, RIGHT)
    expect(blocked).toMatchObject({
      status: 429,
      body: { request: 'Too many attempts. Wait a minute.' },
    })
    const browser = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }
    const page = await signIn(server, RIGHT, browser)
    expect(page.status).toBe(429)
    expect(page.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'x-channelstream-error': 'TOO_MANY_ATTEMPTS',
    })
    expect(page.text).toContain('Too many attempts. Wait a minute.')
    const elsewhere = await send(server, 'POST /admin/sign_in', {
      body: new URLSearchParams(RIGHT).toString(),
      localAddress: '127.0.0.2',
    })
    expect(elsewhere.status).toBe(302)
    await server.close()
  })

  it('is closed to strangers by a guesser with many addresses, and open to those who have signed in', async () => {
    const server = await startServer()
    const from = (localAddress: string, password: string) =>
      send(server, 'POST /admin/sign_in', {
        body: new URLSearchParams({ username: 'admin', password }).toString(),
        localAddress,
      })
    expect((await from('127.0.0.3', RIGHT.password)).status).toBe(302)
    const guesses = Array.from({ length: 120 }, (_, n) => from(`127.0.1.${n}`, `guess ${n}`))
    const statuses = (await Promise.all(guesses)).map(({ status }) => status)
    expect(statuses.filter((status) => status === 200)).toHaveLength(100)
    expect(statuses.filter((status) => status === 429)).toHaveLength(20)
    expect((await from('127.0.0.4', RIGHT.password)).status).toBe(429)
    expect((await from('127.0.0.3', RIGHT.password)).status).toBe(302)
    await server.close()
  })

  it('takes whatever the form holds', async () => {
    const server = await startServer()
    const bodies = ['', '&', '=', 'username', 'username=%', 'username=%ff&password=%00', '{}']
    const forms = [...bodies, 'a'.repeat(100_000)].map((body) =>
      send(server, 'POST /admin/sign_in', { body }),
    )
    for (const { status, headers } of await Promise.all(forms)) {
      expect([200, 400, 413, 422]).toContain(status)
      expect(headers).not.toHaveProperty('set-cookie')
    }
    await server.close()
  })

  it('does not outlive the memory of the only server, whatever cookie_secret says', async () => {
    for (const cookie_secret of ['kept', '']) {
      const first = await startServer({ cookie_secret })
      const cookie = cookieOf(await signIn(first, RIGHT))
      expect((await send(first, 'GET /admin', { headers: { cookie } })).status).toBe(200)
      await first.close()
      const second = await startServer({ cookie_secret })
      expect((await send(second, 'GET /admin', { headers: { cookie } })).status).toBe(302)
      await second.close()
    }
  })

  it('at one of two servers on a host leaves the session at the other alone', async () => {
    const servers = [await startServer(), await startServer()] as const
    const jar = new Map<string, string>()
    const keep = (answer: Answer): void => {
      for (const line of answer.headers['set-cookie'] ?? []) {
        const [name = '', value = ''] = line.split(';')[0]?.split('=') ?? []
        if (value === '') jar.delete(name)
        else jar.set(name, value)
      }
    }
    const cookies = () => ({ cookie: [...jar].map((pair) => pair.join('=')).join('; ') })
    const status = async (server: TestServer) =>
      (await send(server, 'GET /admin', { headers: cookies() })).status
    for (const server of servers) keep(await signIn(server, RIGHT, cookies()))
    for (const server of servers) expect(await status(server)).toBe(200)
    keep(await send(servers[0], 'POST /admin/sign_out', { headers: cookies() }))
    expect(await status(servers[0])).toBe(302)
    expect(await status(servers[1])).toBe(200)
    for (const server of servers) await server.close()
  })

  it('is found behind a proxy that leaves out the port, or has another', async () => {
    const server = await startServer()
    const cookie = cookieOf(await signIn(server, RIGHT, { host: 'example.com' }))
    expect(cookie).toMatch(/^channelstream_admin=/)
    for (const host of ['example.com', 'example.com:8443', '[::1]:8000'])
      expect((await send(server, 'GET /admin', { headers: { cookie, host } })).status).toBe(200)
    await server.close()
  })
})
