import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { useBrowser } from '../helpers/browser.ts'
import { Backend, send, until } from '../helpers/http.ts'
import { startServer } from '../helpers/server.ts'
import { ROOT, fencesIn, readPage, sectionOf } from './markdown.ts'
import { at, start } from './running.ts'
import type { AddressInfo } from 'node:net'
import type { TestServer } from '../helpers/server.ts'

const page = await readPage('docs/client.md')
const example = (section: string, language: string): string =>
  fencesIn(sectionOf(page, section), language)[0] ?? ''

const browser = useBrowser()
let server: TestServer
let folder: string
let url: string
beforeAll(async () => {
  server = await startServer()
  folder = await mkdtemp(join(tmpdir(), 'channelstream-client-docs-'))
  await mkdir(join(folder, 'node_modules'))
  await symlink(fileURLToPath(ROOT), join(folder, 'node_modules', 'channelstream'))
  const here = `${server.host}:${server.port}`
  await writeFile(join(folder, 'backend.mjs'), at(here, example('Quick start', 'js')))
  await writeFile(join(folder, 'page.html'), at(here, example('Quick start', 'html')))
  const env = { PORT: String(await freePort()) }
  const backend = await start(['node', 'backend.mjs'], /open (\S+)/, { cwd: folder, env })
  url = backend.found
  return async () => {
    await backend.stop()
    await server.close()
    await rm(folder, { recursive: true, force: true })
  }
})

async function freePort(): Promise<number> {
  const listener = createServer()
  await new Promise<void>((resolve) => void listener.listen(0, '127.0.0.1', resolve))
  const { port } = listener.address() as AddressInfo
  await new Promise((resolve) => listener.close(resolve))
  return port
}

describe('docs/client.md', () => {
  it('is a chat in two windows', async () => {
    const windows = [await browser.newPage(), await browser.newPage()]
    for (const window of windows) {
      await window.goto(url)
      await window.locator('#status', { hasText: 'connected' }).waitFor()
    }
    await windows[0]?.locator('#said').fill('hello <b>you</b>')
    await windows[0]?.locator('button').click()
    for (const window of windows) {
      await window.locator('#messages li').waitFor()
      expect(await window.locator('#messages').innerText()).toMatch(
        /^visitor \d+: hello <b>you<\/b>$/,
      )
    }
  })

  it('has a listener for Node that prints a message and ends', async () => {
    const script = at(`${server.host}:${server.port}`, example('In Node', 'js'))
    expect(script).toContain('http://127.0.0.1:3000')
    // Use the port of the quick start's backend.
    await writeFile(join(folder, 'listener.mjs'), script.replace('http://127.0.0.1:3000', url))
    // Node 20 needs the flag for `WebSocket`. Later releases have it by default.
    const listener = start(['node', '--experimental-websocket', 'listener.mjs'], /^(.*)\n/m, {
      cwd: folder,
    })
    const app = new Backend(server)
    const isThere = async () =>
      (await app.info()).channels['lobby']?.users.some((user) => user === 'Anonymous') ?? false
    await until(isThere, 'the listener')
    const said = { user: 'ann', said: 'hi' }
    const { hostname: host, port } = new URL(url)
    await send({ host, port: Number(port) }, 'POST /message', { json: said })
    const { found, stop } = await listener
    onTestFinished(stop)
    expect(found).toBe('ann says hi')
  })

  it('explains every code of an error', async () => {
    const source = await readPage('frontend/client/errors.ts')
    const codes = [...source.matchAll(/^ {2}\| '(\w+)'$/gm)].map(([, code]) => code)
    const rows = [...sectionOf(page, 'Errors').matchAll(/^\| `(\w+)`/gm)].map(([, code]) => code)
    expect(codes.length).toBeGreaterThan(5)
    expect(rows.filter((code) => code !== 'code').toSorted()).toEqual(codes.toSorted())
  })
})
