import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { WebSocket } from 'ws'
import { loadConfig } from '../../src/config/load.ts'
import { DEBIAN_PYTHON, INSTALL_TIMEOUT_MS, setup } from '../helpers/debian-packages.ts'
import { freePort } from '../helpers/ports.ts'
import { ROOT, fencesIn, readPage, sectionOf } from './markdown.ts'
import { at, comparable, run, runShell, start } from './running.ts'
import type { Started } from './running.ts'

const readme = await readPage('README.md')
const chat = await readPage('docs/first-chat.md')
const example = (page: string, section: string, language: string): string => {
  const [block] = fencesIn(sectionOf(page, section), language)
  if (block === undefined) throw new Error(`${section} has no example in ${language}`)
  return block
}

describe('README and the first chat', () => {
  it('tells the commands that there are', async () => {
    const { scripts } = JSON.parse(await readPage('package.json')) as { scripts: object }
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(['start', 'test']))
    const commands = fencesIn(sectionOf(readme, 'Start'), '')
    expect(commands).toEqual(['npm ci && npm start\n', 'npm ci && npm test\n'])
  })

  it('tells where a server without configuration listens', () => {
    const { config } = loadConfig({ argv: [], env: {}, readFile: () => '' })
    expect(readme).toContain(`The server listens on http://${config.host}:${config.port}.`)
  })

  describe('examples, run as written against a server started as written', () => {
    let server: Started
    let folder: string
    beforeAll(async () => {
      await setup()
      folder = await mkdtemp(join(tmpdir(), 'channelstream-readme-'))
      const env = { CHANNELSTREAM_PORT: '0' }
      server = await start(['npm', 'start'], /listens on http:\/\/(\S+)/, { env })
    }, INSTALL_TIMEOUT_MS)
    afterAll(async () => {
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    })

    it('sends a first message with curl', async () => {
      const { stdout } = await runShell(at(server.found, example(readme, 'curl', 'sh')))
      const [posted = '', listened = ''] = stdout.trim().split('\n')
      expect(JSON.parse(posted)).toMatchObject([{ user: 'bob', message: { text: 'hello' } }])
      const shown: unknown = JSON.parse(example(readme, 'curl', 'json'))
      expect(comparable(JSON.parse(listened))).toEqual(comparable(shown))
    })

    it('sends a first message with Python', async () => {
      const file = join(folder, 'first.py')
      await writeFile(file, at(server.found, example(readme, 'Python', 'python')))
      const { stdout } = await run(DEBIAN_PYTHON, [file])
      expect(stdout).toBe('bob says hello\n')
      expect(readme).toContain('It prints `bob says hello`.')
    })

    it('is a chat of two pages, docs/first-chat.md', async () => {
      const backend = await startBackend(folder, server.found)
      onTestFinished(() => backend.stop())
      const page = await (await fetch(backend.url)).text()
      const ann = await openPage(page, backend.url)
      const bob = await openPage(page, backend.url)
      onTestFinished(() => [ann, bob].forEach(({ close }) => close()))
      await bob.say('hello')
      for (const { messages } of [ann, bob])
        await vi.waitFor(() => expect(messages()).toEqual(['visitor 2: hello']), 5_000)
    })
  })
})

/** Starts the backend of the example in `folder`, with this package installed there. */
async function startBackend(folder: string, server: string) {
  await mkdir(join(folder, 'node_modules'))
  await symlink(fileURLToPath(ROOT), join(folder, 'node_modules', 'channelstream'))
  await writeFile(join(folder, 'backend.mjs'), at(server, example(chat, 'The backend', 'js')))
  await writeFile(join(folder, 'page.html'), at(server, example(chat, 'The page', 'html')))
  const env = { PORT: String(await freePort()) }
  const { found, stop } = await start(['node', 'backend.mjs'], /open (\S+)/, { cwd: folder, env })
  return { url: found, stop }
}

interface Element {
  textContent: string
  value: string
  readonly children: Element[]
  append(child: Element): void
  onsubmit?: (event: { preventDefault(): void }) => Promise<void>
}

function newElement(): Element {
  const children: Element[] = []
  return { textContent: '', value: '', children, append: (child) => void children.push(child) }
}

/** Runs the script of a page with a minimal fake of a browser. Resolves when its socket is open. */
async function openPage(page: string, url: string) {
  const ids = [...page.matchAll(/id="(\w+)"/g)].map(([, id = '']) => id)
  const elements = new Map(ids.map((id) => [id, newElement()]))
  const element = (id: string): Element => {
    const found = elements.get(id)
    if (!found) throw new Error(`the page has no element ${id}`)
    return found
  }
  const sockets: WebSocket[] = []
  class PageSocket extends WebSocket {
    constructor(address: string) {
      super(address, { origin: new URL(url).origin })
      sockets.push(this)
    }
  }
  const browser = {
    document: { getElementById: element, createElement: newElement },
    fetch: (path: string, init: RequestInit) => fetch(new URL(path, url), init),
    WebSocket: PageSocket,
  }
  const script = /<script type="module">(.*)<\/script>/s.exec(page)?.[1] ?? ''
  await (runInNewContext(`(async () => {${script}})()`, browser) as Promise<void>)
  await vi.waitFor(() => expect(sockets[0]?.readyState).toBe(WebSocket.OPEN), 5_000)
  return {
    messages: () => element('messages').children.map(({ textContent }) => textContent),
    async say(text: string) {
      element('said').value = text
      await element('form').onsubmit?.({ preventDefault: () => {} })
    },
    close: () => sockets.forEach((socket) => socket.terminate()),
  }
}
