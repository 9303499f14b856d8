/** Pages in a real browser for tests. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { afterEach, beforeAll, beforeEach, expect, inject, onTestFinished } from 'vitest'
import { launch } from './browser-server.ts'
import { INSTALL_TIMEOUT_MS } from './debian-packages.ts'
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'

const RESULTS = fileURLToPath(new URL('../../test-results/', import.meta.url))
const LOOPBACK = /^(127\.0\.0\.1|localhost|\[::1\]|[\w-]+\.test)$/

/** Generous, since a browser on a busy machine is slow. Only failing tests wait this long. */
const ACTION_TIMEOUT_MS = 30_000

/** Narrower viewports are phones, with a touch screen and no hover. */
const PHONE_MAX_WIDTH = 600

export const DESKTOP = { width: 1280, height: 800 }
export const PHONE = { width: 390, height: 844 }
export const VIEWPORT = { desktop: DESKTOP, phone: PHONE } as const

export interface PageOptions extends BrowserContextOptions {
  /** Console errors that the test causes, such as lost networks and refused requests. */
  readonly expected?: RegExp
}

export interface TestPage extends Page {
  /** Takes a screenshot into `test-results/`, which is not committed. Resolves with the path. */
  shoot(name: string): Promise<string>
}

export interface TestBrowser {
  /**
   * Opens a page with its own cookies and storage. The test fails if the page logs an error, throws, or requests
   * anything from a host other than this machine. The page is closed after the test. If it was opened in `beforeAll`,
   * it is closed after the last test of the file.
   */
  newPage(options?: PageOptions): Promise<TestPage>
}

/** Call it where the tests of a file are declared. Uses the browser of the project, or launches one for this file. */
export function useBrowser(): TestBrowser {
  const lasting: Visit[] = []
  let isBegun = false
  let browser: Browser
  beforeAll(async () => {
    const endpoint = inject('browser')
    browser = endpoint ? await chromium.connect(endpoint) : await launch()
    // Closes its pages as well.
    return () => browser.close()
  }, INSTALL_TIMEOUT_MS)
  beforeEach(() => void (isBegun = true))
  afterEach(() => lasting.forEach(expectNoComplaints))

  return {
    async newPage(options) {
      const visit = await open(browser, options)
      if (isBegun)
        onTestFinished(async () => {
          await visit.context.close()
          expectNoComplaints(visit)
        })
      else lasting.push(visit)
      const { page } = visit
      return Object.assign(page, { shoot: (name: string) => screenshot(page, name) })
    },
  }
}

interface Visit {
  readonly context: BrowserContext
  readonly page: Page
  readonly complaints: string[]
}

async function open(
  browser: Browser,
  { viewport = DESKTOP, expected, ...options }: PageOptions = {},
): Promise<Visit> {
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
  return { context, page, complaints }
}

function expectNoComplaints({ complaints }: Visit): void {
  expect(complaints.splice(0), 'complaints of the page').toEqual([])
}

function noteForeigner(address: string, complaints: string[]): void {
  const { protocol, hostname } = new URL(address)
  if (!['data:', 'blob:', 'about:'].includes(protocol) && !LOOPBACK.test(hostname))
    complaints.push(`asked for ${address}`)
}

/** Takes a screenshot into `test-results/`, which is not committed. Resolves with the path. */
export async function screenshot(page: Page, name: string): Promise<string> {
  await mkdir(RESULTS, { recursive: true })
  const path = join(RESULTS, `${name}.png`)
  await page.screenshot({ path, fullPage: true })
  return path
}
