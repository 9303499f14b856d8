/** The chat as people run it, and people who use it. */
import { fileURLToPath } from 'node:url'
import { beforeAll, onTestFinished } from 'vitest'
import { start } from '../docs/running.ts'
import { until } from '../helpers/http.ts'
import { ServerProcess } from '../helpers/process.ts'
import type { Locator } from 'playwright-core'
import type { PageOptions, TestBrowser, TestPage } from '../helpers/browser.ts'

const SECRET = 'secret of the demo'
/** Only what fails waits as long. */
const PATIENCE_MS = 30_000
/** What Chromium itself writes when a server is killed, or a request is refused. */
export const BROKEN = /ERR_|WebSocket connection|Failed to load resource/

export const demoFile = (path: string): string =>
  fileURLToPath(new URL(`../../demo/${path}`, import.meta.url))

/** A server and a backend beside it. The server can be killed and started again. */
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

  /** A chat in which nothing was said yet, until the test is over. */
  static async newChat(): Promise<Demo> {
    const demo = await Demo.chat()
    onTestFinished(() => demo.stop())
    return demo
  }

  async stop(): Promise<void> {
    await this.stopBackend()
    await this.server.kill()
  }

  /** As `kill -9` does it: without a word to anybody. */
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
 * To be called where the tests of a file are declared: one chat for those that take names of their own in it, and
 * talk in a channel of their own. Names are not free again when a test is over.
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
  /** The channel to begin in instead of the lobby, as for somebody who was there before. */
  readonly room?: string
}

/** Remembers channels for the page, if it does not know any yet. */
export async function beginIn(page: TestPage, room: string): Promise<void> {
  const channels = JSON.stringify(JSON.stringify([room, 'random']))
  await page.addInitScript(`localStorage.channels ??= ${channels}`)
}

/** Somebody at a page of the chat. */
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

  /** The one message that shows this text. */
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

  /** Waits until every message that is shown is on the server. */
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

  /** In the list of conversations. */
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
