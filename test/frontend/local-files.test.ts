/** Pages that a browser opens from a file. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { launch } from '../helpers/browser-server.ts'
import { INSTALL_TIMEOUT_MS } from '../helpers/debian-packages.ts'
import { Backend } from '../helpers/http.ts'
import { startServer } from '../helpers/server.ts'
import type { Browser } from 'playwright-core'

/** Listens by both transports. Puts what became of them into the title. */
const PAGE = `<!doctype html><meta charset="utf-8"><script>
  const { host, conn_id } = Object.fromEntries(new URLSearchParams(location.hash.slice(1)))
  const query = '?conn_id=' + conn_id
  const poll = fetch('http://' + host + '/listen' + query).then((answer) => answer.status, () => 'refused')
  const socket = new Promise((resolve) => {
    const ws = new WebSocket('ws://' + host + '/ws' + query)
    ws.onopen = () => resolve('open')
    ws.onerror = () => resolve('refused')
  })
  Promise.all([poll, socket]).then((results) => (document.title = results.join(', ')))
</script>`

/** As Electron, Cordova and many WebViews do, with which local files may read each other. */
const FILES_MAY_READ_FILES = '--allow-file-access-from-files'

describe.each([
  { kind: 'a browser', args: [], sent: 'null', other: 'file://' },
  { kind: 'an application', args: [FILES_MAY_READ_FILES], sent: 'file://', other: 'null' },
])('a page from a file in $kind', ({ args, sent, other }) => {
  const directory = mkdtempSync(join(tmpdir(), 'channelstream-page-'))
  let browser: Browser
  beforeAll(async () => {
    writeFileSync(join(directory, 'page.html'), PAGE)
    browser = await launch(args)
  }, INSTALL_TIMEOUT_MS)
  afterAll(async () => {
    await browser.close()
    rmSync(directory, { recursive: true })
  })

  async function visit(allow_cors: string): Promise<string> {
    const server = await startServer({ allow_cors, wake_connections_after: 0.1 })
    onTestFinished(() => server.close())
    const conn_id = await new Backend(server).connect('ann')
    const page = await browser.newPage()
    onTestFinished(() => page.close())
    const hash = new URLSearchParams({ host: `${server.host}:${server.port}`, conn_id }).toString()
    await page.goto(`file://${directory}/page.html#${hash}`)
    await page.waitForFunction(() => document.title !== '')
    return page.title()
  }

  it(`may listen if allow_cors has ${sent}`, async () => {
    expect(await visit(`example.com, ${sent}`)).toBe('200, open')
  })

  it(`may not listen if allow_cors has ${other}`, async () => {
    expect(await visit(`example.com, ${other}`)).toBe('refused, refused')
  })
})
