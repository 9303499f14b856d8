/** The Debian packages that tests need. Can stand as vitest's `globalSetup`. */

import { existsSync } from 'node:fs'

/** `itsdangerous` signs as Channelstream's callers do; `requests` is what they send with. */
const DEBIAN_PACKAGES = ['python3-itsdangerous', 'python3-requests']

/** Debian's own Python, which sees these packages; one from pyenv would not. */
export const DEBIAN_PYTHON = '/usr/bin/python3'

/** Patience for a `beforeAll` that has to download them. */
export const INSTALL_TIMEOUT_MS = 300_000

interface TestDependencies {
  readonly ensureDebianPackages: (names: readonly string[]) => Promise<void>
}

/** What tests of the frontend look through. */
export const CHROMIUM = '/usr/bin/chromium'

/** Rejects with the command to run if they are missing and cannot be installed from here. */
export async function ensurePackages(...names: readonly string[]): Promise<void> {
  const script = new URL('../../scripts/test-dependencies.mjs', import.meta.url).href
  const { ensureDebianPackages } = (await import(script)) as TestDependencies
  await ensureDebianPackages(names)
}

/** Those that the tests in Python need. */
export const setup = (): Promise<void> => ensurePackages(...DEBIAN_PACKAGES)

/** A browser. One that was installed in another way does as well. */
export async function setupBrowser(): Promise<void> {
  if (!existsSync(CHROMIUM)) await ensurePackages('chromium')
}
