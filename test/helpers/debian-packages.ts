/** The Debian packages that tests need. Can be used as vitest's `globalSetup`. */

import { existsSync } from 'node:fs'

/** Python backends sign with `itsdangerous` and send with `requests`. */
const DEBIAN_PACKAGES = ['python3-itsdangerous', 'python3-requests']

/** Debian's own Python. One from pyenv would not find these packages. */
export const DEBIAN_PYTHON = '/usr/bin/python3'

/** The timeout of a `beforeAll` that may have to download them. */
export const INSTALL_TIMEOUT_MS = 300_000

interface TestDependencies {
  readonly ensureDebianPackages: (names: readonly string[]) => Promise<void>
  readonly extractDebianPackage: (name: string) => Promise<string>
}

const testDependencies = async (): Promise<TestDependencies> => {
  const script = new URL('../../scripts/test-dependencies.mjs', import.meta.url).href
  return (await import(script)) as TestDependencies
}

/** The browser for tests of the frontend. */
export const CHROMIUM = '/usr/bin/chromium'

/** Installs missing packages. Rejects with the command to run if they cannot be installed from here. */
export async function ensurePackages(...names: readonly string[]): Promise<void> {
  const { ensureDebianPackages } = await testDependencies()
  await ensureDebianPackages(names)
}

/** Returns a folder with the files of a package, which is not installed: installing a server would start it. */
export async function filesOfPackage(name: string): Promise<string> {
  const { extractDebianPackage } = await testDependencies()
  return extractDebianPackage(name)
}

/** Installs the packages that tests with Python need. */
export const setup = (): Promise<void> => ensurePackages(...DEBIAN_PACKAGES)

/** Installs a browser, unless there already is one from another source. */
export async function setupBrowser(): Promise<void> {
  if (!existsSync(CHROMIUM)) await ensurePackages('chromium')
}
