/** Debian's Chromium, headless, with a fresh profile. Used as vitest's `globalSetup` for tests of pages. */
import { chromium } from 'playwright-core'
import { CHROMIUM, setupBrowser } from './debian-packages.ts'
import type { Browser, LaunchOptions } from 'playwright-core'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  export interface ProvidedContext {
    /** The endpoint of the browser that all files of the project share. */
    readonly browser?: string
  }
}

/** The features that Playwright disables. Repeated here, since Chromium uses only the last list. */
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
/** Parts of the browser UI, which are invisible here. For each new window, they cost as much as the page. */
const UNSEEN = [
  'PreloadTopChromeWebUI',
  'WebUIOmniboxPopup',
  'WebUIOmniboxAimPopup',
  'WebUIOmniboxFullPopup',
]

/**
 * Names under `.test` resolve to this machine, so that a page can have an origin that is not trusted like loopback. All
 * other names do not resolve.
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

/** Starts one browser for all files of the project, since the start takes seconds. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await setupBrowser()
  const server = await chromium.launchServer(OPTIONS)
  project.provide('browser', server.wsEndpoint())
  return () => server.close()
}

/** Launches a browser for files without a shared one, or with these further arguments. */
export async function launch(args: readonly string[] = []): Promise<Browser> {
  await setupBrowser()
  return chromium.launch({ ...OPTIONS, args: [...(OPTIONS.args ?? []), ...args] })
}
