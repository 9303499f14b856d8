/** Debian's Chromium, without a window, on a profile of its own. Stands as vitest's `globalSetup` of tests of pages. */
import { chromium } from 'playwright-core'
import { CHROMIUM, setupBrowser } from './debian-packages.ts'
import type { Browser, LaunchOptions } from 'playwright-core'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Where the browser that all files of the project share can be reached. */
    readonly browser?: string
  }
}

/** What Playwright disables: of two lists Chromium takes the second. */
const DISABLED_BY_PLAYWRIGHT = [
  'AvoidUnnecessaryBeforeUnloadCheckSync',
  'DestroyProfileOnBrowserClose',
  'HttpsUpgrades',
  'HttpsFirstBalancedModeAutoEnable',
  'LensOverlay',
  'MediaRouter',
  'PaintHolding',
  'ThirdPartyStoragePartitioning',
  'AvoidCorsURLLoaderRestartOnRedirect',
  'OptimizationHints',
  'NetworkTimeServiceQuerying',
  'AimEnabled',
  'PreconnectToSearch',
]
/** Parts of the browser's own window, which nobody sees. They cost as much as the page, for each new window. */
const UNSEEN = [
  'PreloadTopChromeWebUI',
  'WebUIOmniboxPopup',
  'WebUIOmniboxAimPopup',
  'WebUIOmniboxFullPopup',
]

/**
 * Names under `.test` lead to this machine, so that a page can be of an origin that is not trusted as loopback is; all
 * other names lead nowhere.
 */
const OPTIONS: LaunchOptions = {
  executablePath: CHROMIUM,
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-background-networking',
    `--disable-features=${[...DISABLED_BY_PLAYWRIGHT, ...UNSEEN].join(',')}`,
    '--host-resolver-rules=MAP *.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
  ],
}

/** One for all files of the project, because its start takes seconds. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await setupBrowser()
  const server = await chromium.launchServer(OPTIONS)
  project.provide('browser', server.wsEndpoint())
  return () => server.close()
}

/** One for those who were provided with none. */
export async function launch(): Promise<Browser> {
  await setupBrowser()
  return chromium.launch(OPTIONS)
}
