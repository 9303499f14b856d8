/** A real browser for tests: Debian's Chromium, without a window, on a profile of its own. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { beforeAll, expect, onTestFinished } from 'vitest'
import { CHROMIUM, INSTALL_TIMEOUT_MS, setupBrowser } from './debian-packages.ts'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'

const RESULTS = fileURLToPath(new URL('../../test-results/', import.meta.url))
const LOOPBACK = /^(127\.0\.0\.1|localhost|\[::1\]|[\w-]+\.test)$/

/** Only what fails waits as long: a browser on a busy machine is slow. */
const ACTION_TIMEOUT_MS = 30_000

/** Narrower ones are phones: they have a touch screen and no pointer to hover with. */
const PHONE_MAX_WIDTH = 600

export const DESKTOP = { width: 1280, height: 800 }
export const PHONE = { width: 390, height: 844 }
export const VIEWPORT = { desktop: DESKTOP, phone: PHONE } as const

export interface PageOptions extends BrowserContextOptions {
  /** Complaints on the console that the test brings about: lost networks and refused requests are such. */
  readonly expected?: RegExp
}

export interface TestPage extends Page {
  /** Into `test-results/`, which is not kept. Answers the path. */
  shoot(name: string): Promise<string>
}

export interface TestBrowser {
  /**
   * A page with cookies and storage of its own, closed after the test. The test fails if the page complained on its
   * console, threw, or asked for anything of another host than this machine.
   */
  newPage(options?: PageOptions): Promise<TestPage>
}

/**
 * To be called where the tests of a file are declared: one browser for all of them. Names under `.test` lead to this
 * machine, so that a page can be of an origin that is not trusted as loopback is; all other names lead nowhere.
 */
export function useBrowser(): TestBrowser {
  let browser: Browser
  beforeAll(async () => {
    await setupBrowser()
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-background-networking',
        '--host-resolver-rules=MAP *.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
      ],
    })
    return () => browser.close()
  }, INSTALL_TIMEOUT_MS)

  return {
    async newPage({ viewport = DESKTOP, expected, ...options } = {}) {
      const isPhone = viewport !== null && viewport.width < PHONE_MAX_WIDTH
      const kind = { viewport, isMobile: isPhone, hasTouch: isPhone, locale: 'en-GB' }
      const context = await browser.newContext({ ...kind, ...options })
      context.setDefaultTimeout(ACTION_TIMEOUT_MS)
      const page = await context.newPage()
      const complaints: string[] = []
      const note = (complaint: string): void => {
        if (!expected?.test(complaint)) complaints.push(complaint)
      }
      page.on(
        'console',
        (message) => void (message.type() === 'error' && note(`error: ${message.text()}`)),
      )
      page.on('pageerror', (error) => note(`thrown: ${String(error)}`))
      page.on('request', (request) => noteForeigner(request.url(), complaints))
      page.on('websocket', (socket) => noteForeigner(socket.url(), complaints))
      onTestFinished(async () => {
        await context.close()
        expect(complaints, 'complaints of the page').toEqual([])
      })
      return Object.assign(page, { shoot: (name: string) => screenshot(page, name) })
    },
  }
}

function noteForeigner(address: string, complaints: string[]): void {
  const { protocol, hostname } = new URL(address)
  if (!['data:', 'blob:', 'about:'].includes(protocol) && !LOOPBACK.test(hostname))
    complaints.push(`asked for ${address}`)
}

/** Writes what the page looks like to `test-results/`, which is not kept. Answers the path. */
export async function screenshot(page: Page, name: string): Promise<string> {
  await mkdir(RESULTS, { recursive: true })
  const path = join(RESULTS, `${name}.png`)
  await page.screenshot({ path, fullPage: true })
  return path
}
