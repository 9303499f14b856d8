/** Signing in and out in a browser, also over plain http by host name, where browsers do not send the origin. */
import http from 'node:http'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { useBrowser } from '../../helpers/browser.ts'
import { ServerProcess, killProcesses } from '../../helpers/process.ts'
import { expectSound, isLive, signIn } from './panel.ts'
import type { AddressInfo } from 'node:net'

const browser = useBrowser()
let server: ServerProcess

beforeAll(async () => {
  server = await ServerProcess.start()
})
afterAll(killProcesses)

const ADDRESSES = ['127.0.0.1', 'panel.test']
const urlOf = (host: string): string => `http://${host}:${server.port}`

/** Starts a page of another site. Returns its URL. */
async function foreignPage(html: string): Promise<string> {
  const site = http.createServer((_request, response) => {
    response.setHeader('content-type', 'text/html').end(`<link rel="icon" href="data:,">${html}`)
  })
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    site.closeAllConnections()
    site.close()
  })
  return `http://elsewhere.test:${(site.address() as AddressInfo).port}/`
}

describe('signing out', { timeout: 60_000 }, () => {
  it.each(ADDRESSES)('leads to the sign-in, in every window (http://%s)', async (host) => {
    const page = await browser.newPage()
    await signIn(page, urlOf(host))
    const other = await page.context().newPage()
    await other.goto(`${urlOf(host)}/admin`)
    await isLive(other)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.waitForURL('**/admin/sign_in')
    await other.waitForURL('**/admin/sign_in')
    await page.goto(`${urlOf(host)}/admin`)
    expect(new URL(page.url()).pathname).toBe('/admin/sign_in')
  })

  it.each(ADDRESSES)('is asked for by a link, and not done (http://%s)', async (host) => {
    const page = await browser.newPage()
    await signIn(page, urlOf(host))
    await page.goto(await foreignPage(`<a href="${urlOf(host)}/admin/sign_out">out</a>`))
    await page.getByRole('link', { name: 'out' }).click()
    await page.getByText('Sign out of the admin panel?').waitFor()
    await expectSound(page)
    await page.shoot(`sign-out-${host}`)
    await page.goto(`${urlOf(host)}/admin`)
    await isLive(page)
    await page.goto(`${urlOf(host)}/admin/sign_out`)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.waitForURL('**/admin/sign_in')
    await page.goto(`${urlOf(host)}/admin/sign_out`)
    expect(new URL(page.url()).pathname).toBe('/admin/sign_in')
  })

  it.each(ADDRESSES)('is not done by a form of another site (http://%s)', async (host) => {
    // The answer is not a page, so the browser also requests an icon.
    const page = await browser.newPage({ expected: /status of (403|404)/ })
    await signIn(page, urlOf(host))
    const form = `<form method="post" action="${urlOf(host)}/admin/sign_out"><button>out</button></form>`
    await page.goto(await foreignPage(form))
    await page.getByRole('button', { name: 'out' }).click()
    await page.getByText('Forbidden').waitFor()
    await page.goto(`${urlOf(host)}/admin`)
    await isLive(page)
  })
})
