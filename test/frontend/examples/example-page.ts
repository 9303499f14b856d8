/** Pages that show channels with the hooks of `examples/`, in a real browser. */
import { Backend, until } from '../../helpers/http.ts'
import { PageBackend, addresses } from '../client/page-backend.ts'
import type { ChannelstreamConnection } from '../../../frontend/client/index.ts'
import type { TestBrowser } from '../../helpers/browser.ts'
import type { Address } from '../../helpers/http.ts'
import type { TestServer } from '../../helpers/server.ts'

/** Chromium's own console messages about network failures that a test causes. */
const BROKEN = /ERR_|WebSocket connection|Failed to load resource/

/** A component that shows a channel. With another version it is another component. */
export interface Room {
  readonly id: string
  readonly name: string
  readonly version?: number
}

/** What a component shows. */
export interface Shown {
  readonly texts: readonly string[]
  readonly members: Readonly<Record<string, unknown>> | null
  readonly status: string
  readonly gaps: number
}

/** What a page has at its `window`. */
export interface ExamplePage {
  start(options: object): void
  show(rooms: readonly Room[]): void
  /** Replaces the code of the components, as bundlers do during development. */
  reload(): void
  end(): void
  connection: ChannelstreamConnection
}

export interface ExampleOptions {
  readonly browser: TestBrowser
  readonly server: TestServer
  /** The bundled page. */
  readonly script: string
  readonly rooms: readonly Room[]
  readonly listenAt?: Address
  /** What a server has rendered. */
  readonly html?: string
  /** Called before each request of the page is forwarded. */
  readonly beforeForwarding?: PageBackend['beforeForwarding']
}

let pages = 0

export async function openExample({ browser, server, script, rooms, ...more }: ExampleOptions) {
  const { listenAt = server, html = '', beforeForwarding } = more
  const document = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><div id="app">${html}</div>`
  const backend = await PageBackend.start(server, ({ url = '' }, response) => {
    const files: Record<string, [string, string]> = {
      '/': ['text/html', document],
      '/page.js': ['text/javascript', script],
    }
    const [type, body] = files[url] ?? []
    if (body !== undefined) response.writeHead(200, { 'content-type': type }).end(body)
    return body !== undefined
  })
  if (beforeForwarding) backend.beforeForwarding = beforeForwarding
  const app = new Backend(server)
  await announceIn(app, rooms)
  const page = await browser.newPage({ expected: BROKEN })
  await page.goto(backend.url)
  await page.addScriptTag({ type: 'module', url: '/page.js' })
  await page.waitForFunction(() => 'start' in window)
  const username = `user-${++pages}`
  const options = { ...addresses(backend, listenAt), username, increaseBounceIv: 100 }
  await page.evaluate((all) => (window as unknown as ExamplePage).start(all), { options, rooms })

  const shown = async (id: string): Promise<Shown> =>
    JSON.parse(await page.locator(`#${id}`).innerText()) as Shown
  /** The channels that the page's user is in, as the server knows them. */
  const channels = async (): Promise<string[]> => {
    const all = Object.entries((await app.info()).channels)
    return all.filter(([, { users }]) => users.includes(username as never)).map(([name]) => name)
  }
  return {
    app,
    backend,
    page,
    username,
    options,
    show: (now: readonly Room[]) =>
      page.evaluate((all) => (window as unknown as ExamplePage).show(all), now),
    /** Removes all components. */
    end: () => page.evaluate(() => (window as unknown as ExamplePage).end()),
    untilShown: (id: string, expected: Partial<Shown>) =>
      until(
        async () => isLike(await shown(id), expected),
        `${id} to show ${JSON.stringify(expected)}`,
      ),
    untilIn: (...names: string[]) =>
      until(
        async () => String((await channels()).sort()) === String(names.sort()),
        `the page to be in ${String(names)}`,
      ),
  }
}

const isLike = (shown: Shown, expected: Partial<Shown>): boolean =>
  Object.entries(expected).every(
    ([key, value]) => JSON.stringify(shown[key as keyof Shown]) === JSON.stringify(value),
  )

/** Makes channels tell who comes and goes. */
export const announceIn = (app: Backend, rooms: readonly Room[]) =>
  app.call(
    'POST /channel_config',
    Object.fromEntries(
      rooms.map(({ name }) => [name, { notify_presence: true, notify_state: true }]),
    ),
  )
