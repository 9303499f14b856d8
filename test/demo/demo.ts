/** Starts the chat like users do, and simulates its users. */
import { fileURLToPath } from 'node:url'
import { beforeAll, onTestFinished } from 'vitest'
import { start } from '../docs/running.ts'
import { until } from '../helpers/http.ts'
import { ServerProcess } from '../helpers/process.ts'
import type { Locator } from 'playwright-core'
import type { PageOptions, TestBrowser, TestPage } from '../helpers/browser.ts'

const SECRET = 'secret of the demo'
/** Generous: only failing tests wait this long. */
const PATIENCE_MS = 30_000
/** Chromium's own console messages when a server is killed or a request is refused. */
export const BROKEN = /ERR_|WebSocket connection|Failed to load resource/

export const demoFile = (path: string): string =>
  fileURLToPath(new URL(`../../demo/${path}`, import.meta.url))

/** A server and the chat backend. The server can be killed and restarted. */
export class Demo {
  private constructor(
    public server: ServerProcess,
    readonly url: string,
    private readonly stopBackend: () => Promise<void>,
  ) {}

  static async start(command: readonly [string, ...string[]]): Promise<Demo> {
    const server = await ServerProcess.start(serverOptions)
    const env = { PORT: '0', CHANNELSTREAM_URL: server.url, CHANNELSTREAM_SECRET: SECRET }
    const { found, stop } = await start(command, /(http:\/\/127\.0\.0\.1:\d+)\s/, { env })
    return new Demo(server, found, stop)
  }

  static chat(): Promise<Demo> {
    return Demo.start([process.execPath, demoFile('chat/server.mjs')])
  }

  /** Starts an empty chat, until the test ends. */
  static async newChat(): Promise<Demo> {
    const demo = await Demo.chat()
    onTestFinished(() => demo.stop())
    return demo
  }

  async stop(): Promise<void> {
    await this.stopBackend()
    await this.server.kill()
  }

  /** Kills the server like `kill -9`: without closing connections. */
  async kill(): Promise<void> {
    await this.server.kill()
  }

  async restart(): Promise<void> {
    const { port } = this.server
    this.server = await ServerProcess.start({ ...serverOptions, args: ['--port', String(port)] })
  }
}

const serverOptions = {
  settings: { secret: SECRET, admin_secret: SECRET, heartbeat_interval: 0.5 },
}

/**
 * Call it where the tests of a file are declared. Starts one chat for tests that use their own names and channels.
 * Names stay taken after a test.
 */
export function useChat(): () => Demo {
  let demo: Demo
  beforeAll(async () => {
    demo = await Demo.chat()
    return () => demo.stop()
  })
  return () => demo
}

export interface Entry extends PageOptions {
  readonly query?: string
  /** The first channel instead of the lobby, like for a returning user. */
  readonly room?: string
}

/** Stores channels for the page, if it has none yet. */
export async function beginIn(page: TestPage, room: string): Promise<void> {
  const channels = JSON.stringify(JSON.stringify([room, 'random']))
  await page.addInitScript(`localStorage.channels ??= ${channels}`)
}

/** A user on a page of the chat. */
export class Person {
  private constructor(
    readonly page: TestPage,
    readonly name: string,
  ) {}

  static async enter(
    browser: TestBrowser,
    demo: Demo,
    name: string,
    { query = '', room, ...options }: Entry = {},
  ): Promise<Person> {
    const page = await browser.newPage({ expected: BROKEN, ...options })
    if (room !== undefined) await beginIn(page, room)
    await page.goto(`${demo.url}/chat/${query}`)
    await page.getByLabel('Your name').fill(name)
    await page.getByRole('button', { name: 'Enter' }).click()
    const person = new Person(page, name)
    await person.isConnected()
    return person
  }

  /** The message with this text. */
  message(text: string): Locator {
    return this.page.locator('.message', { hasText: text })
  }

  async say(text: string): Promise<void> {
    await this.page.locator('#said').fill(text)
    await this.page.keyboard.press('Enter')
  }

  async sees(text: string): Promise<void> {
    await this.message(text).first().waitFor({ timeout: PATIENCE_MS })
  }

  /** Waits until all shown messages are sent. */
  async hasSent(): Promise<void> {
    await until(
      async () => (await this.page.locator('.message.sending').count()) === 0,
      'messages to be sent',
      PATIENCE_MS,
    )
  }

  async texts(): Promise<string[]> {
    return this.page.locator('#messages .text').allInnerTexts()
  }

  /** An entry in the list of conversations. */
  place(name: string): Locator {
    return this.page.locator('#places .entries .entry', { hasText: name })
  }

  async talkTo(name: string): Promise<void> {
    await this.page.locator(`#users [data-user="${name}"]`).click()
  }

  async openChannel(name: string): Promise<void> {
    await this.place(name).click()
  }

  async join(channel: string): Promise<void> {
    await this.page.getByRole('button', { name: 'Join a channel' }).click()
    await this.page.getByLabel('Channel name').fill(channel)
    await this.page.getByRole('button', { name: 'Join', exact: true }).click()
    await this.place(channel).waitFor()
  }

  async setStatus(colour: string, words: string): Promise<void> {
    await this.page.locator('#me').click()
    await this.page.getByLabel(colour).check()
    await this.page.getByLabel('Status message').fill(words)
    await this.page.getByRole('button', { name: 'Save' }).click()
    await this.page.locator('#status').waitFor({ state: 'hidden' })
  }

  async isConnected(): Promise<void> {
    await this.page.locator('#users').getByText('(you)').waitFor({ timeout: PATIENCE_MS })
    await this.page.locator('#banner').waitFor({ state: 'hidden', timeout: PATIENCE_MS })
  }
}
