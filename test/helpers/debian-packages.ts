/** The Debian packages of tests that compare with the Python world. Can stand as vitest's `globalSetup`. */

/** `itsdangerous` signs as Channelstream's callers do; `requests` is what they send with. */
const DEBIAN_PACKAGES = ['python3-itsdangerous', 'python3-requests']

/** Debian's own Python, which sees these packages; one from pyenv would not. */
export const DEBIAN_PYTHON = '/usr/bin/python3'

/** Patience for a `beforeAll` that has to download them. */
export const INSTALL_TIMEOUT_MS = 300_000

interface TestDependencies {
  readonly ensureDebianPackages: (names: readonly string[]) => Promise<void>
}

/** Rejects with the command to run if they are missing and cannot be installed from here. */
export async function setup(): Promise<void> {
  const script = new URL('../../scripts/test-dependencies.mjs', import.meta.url).href
  const { ensureDebianPackages } = (await import(script)) as TestDependencies
  await ensureDebianPackages(DEBIAN_PACKAGES)
}
