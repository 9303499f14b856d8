import { createServer, request as sendRequest } from 'node:http'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { expectAccessible } from '../../helpers/axe.ts'
import { VIEWPORT, useBrowser } from '../../helpers/browser.ts'
import { Backend } from '../../helpers/http.ts'
import { startServer } from '../../helpers/server.ts'
import type { AddressInfo } from 'node:net'
import type { Locator } from 'playwright-core'
import type { PageOptions, TestPage } from '../../helpers/browser.ts'
import type { TestServer } from '../../helpers/server.ts'

const SECRET = 'a secret that never leaves the field'
const REFUSED = /Failed to load resource: the server responded with a status of 40[13]/

const browser = useBrowser()
let server: TestServer
/** Shared, since it takes seconds to render. Most tests continue where the previous one ended. */
let explorer: TestPage
beforeAll(async () => {
  server = await startServer({ secret: SECRET, allow_posting_from: '127.0.0.1' })
  explorer = await openExplorer(server.url, { expected: REFUSED })
  return () => server.close()
})

async function signIn(page: TestPage, at: string): Promise<void> {
  await page.goto(`${at}/admin/sign_in`)
  await page.locator('[name=username]').fill('admin')
  await page.locator('[name=password]').fill('admin_secret')
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/admin$/)
}

async function openExplorer(at: string, options: PageOptions = {}): Promise<TestPage> {
  const page = await browser.newPage(options)
  await signIn(page, at)
  await page.getByRole('link', { name: 'API explorer' }).click()
  await page.locator('.opblock').first().waitFor()
  return page
}

/** Opens an operation. `id` is a method and a path, as in `post_connect`. */
async function operation(page: TestPage, id: string): Promise<Locator> {
  const [method = '', path] = id.split(/_(.*)/)
  const block = page.locator(`.opblock-${method}:has([data-path="/${path}"])`)
  await toggle(block)
  await block.locator('.execute').waitFor()
  return block
}

/** Not a click, which would wait for the page to be stable each time. */
const toggle = (block: Locator): Promise<void> =>
  block.locator('.opblock-summary-control').dispatchEvent('click')

/** Sends the example, or `body`. Returns status and body as shown. Restores the page afterwards. */
async function execute(page: TestPage, id: string, body?: unknown) {
  const block = await operation(page, id)
  if (body !== undefined) await block.locator('textarea').first().fill(JSON.stringify(body))
  await block.locator('.execute').click()
  const live = block.locator('.live-responses-table .response').first()
  await live.waitFor()
  const answer = {
    status: Number.parseInt(await live.locator('.response-col_status').innerText()),
    text: await live.locator('.response-col_description').innerText(),
    url: await block.locator('.request-url').innerText(),
  }
  await block.locator('.btn-clear').click()
  await toggle(block)
  return answer
}

/** In light and dark mode, with nothing opened and with an answer shown. */
async function look(page: TestPage, size: 'desktop' | 'phone'): Promise<void> {
  await page.getByLabel('Secret').fill(SECRET)
  await expectAccessible(page, `explorer-${size}-list`)
  const block = await operation(page, 'post_message')
  await block.locator('.execute').click()
  await block.locator('.live-responses-table .response').first().waitFor()
  await expectAccessible(page, `explorer-${size}-message`)
  const width = await page.evaluate(() => document.documentElement.scrollWidth)
  expect(width).toBeLessThanOrEqual(VIEWPORT[size].width)
  await block.locator('.btn-clear').click()
  await toggle(block)
}

describe('the API explorer', { timeout: 120_000 }, () => {
  it('shows what is wrong: no secret, another secret', async () => {
    const advice = explorer.locator('#advice')
    // The session of the admin pages is not a signature.
    expect((await execute(explorer, 'post_connect')).status).toBe(403)
    expect(await advice.innerText()).toContain('allow_posting_from')
    await explorer.getByLabel('Secret').fill('wrong')
    const refused = await execute(explorer, 'post_user_state')
    expect(refused.status).toBe(401)
    expect(refused.text).toContain('Bad Signature')
    expect(await advice.innerText()).toContain('Is this the server’s secret')
  })

  it('shows every operation, with an example of each body', async () => {
    const document = (await new Backend(server, SECRET).send('GET /openapi.json')).body as {
      paths: Record<string, Record<string, { summary: string; requestBody?: object }>>
    }
    const operations = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, about]) => ({ method, path, about })),
    )
    // And the webhook, which is no request to this server.
    expect(await explorer.locator('.opblock').count()).toBe(operations.length + 1)
    for (const { method, path, about } of operations) {
      const name = `${method} ${path}`
      const block = await operation(explorer, `${method}_${path.slice(1)}`)
      expect(await block.textContent(), name).toContain(about.summary)
      if (about.requestBody)
        expect(await block.locator('textarea').first().inputValue(), name).toMatch(
          /lobby|conn_id|ann|rules/,
        )
      await toggle(block)
    }
  })

  it('has no serious fault of accessibility, on a desktop', () => look(explorer, 'desktop'))

  it('has no serious fault of accessibility, on a phone', async () =>
    look(await openExplorer(server.url, { viewport: VIEWPORT.phone }), 'phone'))

  it('signs in the browser: /connect, /message and /info', async () => {
    const sent: string[] = []
    explorer.on('request', (request) =>
      sent.push(request.url(), JSON.stringify(request.headers()), request.postData() ?? ''),
    )
    await explorer.getByLabel('Secret').fill(SECRET)
    await explorer.getByText('Each request is signed in this browser.').waitFor()
    const connected = await execute(explorer, 'post_connect')
    expect(connected.status).toBe(200)
    expect(connected.text).toContain('3b8f2a6e-5d0c-4f7a-9a44-0f3f3c1f7d10')
    const said = [{ user: 'bob', channel: 'lobby', message: { text: 'from the explorer' } }]
    expect((await execute(explorer, 'post_message', said)).status).toBe(200)
    const told = await execute(explorer, 'post_info')
    expect(told.status).toBe(200)
    expect(told.text).toContain('from the explorer')
    const { channels } = await new Backend(server, SECRET).info()
    expect(channels['lobby']?.users).toEqual(['ann'])

    expect(sent.join('\n')).toContain('x-channelstream-secret')
    expect(sent.join('\n')).not.toContain(SECRET)
    const kept = await explorer.evaluate(() =>
      JSON.stringify([{ ...localStorage }, { ...sessionStorage }]),
    )
    expect(kept).not.toContain(SECRET)
    await explorer.getByRole('link', { name: 'Admin' }).click()
    await explorer.getByRole('heading', { name: 'Overview' }).waitFor()
  })

  it('works behind a proxy that serves it under a path', async () => {
    const proxy = await startProxy('/push')
    const page = await openExplorer(`${proxy}/push`, { expected: /favicon/ })
    await page.getByLabel('Secret').fill(SECRET)
    const { status, url } = await execute(page, 'post_info')
    expect(status).toBe(200)
    expect(url).toContain(`${proxy}/push/info`)
  })

  it('allows no script but its own, and no frame around it', async () => {
    const page = await browser.newPage()
    await signIn(page, server.url)
    const policy = (await page.request.get(`${server.url}/api-explorer/`)).headers()[
      'content-security-policy'
    ]
    expect(policy).toContain("default-src 'none'; script-src 'self';")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toMatch(/unsafe-eval|script-src[^;]*unsafe/)
  })
})

/** Starts a proxy that serves the server under `prefix`, as documented. Returns its URL. */
async function startProxy(prefix: string): Promise<string> {
  const proxy = createServer((request, response) => {
    const { host, port } = server
    const headers = { ...request.headers, 'x-script-name': prefix }
    const { method, url: path } = request
    const onward = sendRequest({ host, port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    request.pipe(onward)
  })
  await new Promise<void>((resolve) => void proxy.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    proxy.closeAllConnections()
    proxy.close()
  })
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
}
