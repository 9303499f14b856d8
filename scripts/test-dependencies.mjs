/**
 * Installs the Debian packages that some tests need: a browser, and software to compare with. To run it by hand:
 *
 *     node scripts/test-dependencies.mjs python3-itsdangerous python3-requests chromium
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

const APT_GET = '/usr/bin/apt-get'
const INSTALL = 'apt-get install -y --no-install-recommends'
const LOCK_TIMEOUT_SECONDS = 180
// The package list is fetched only if the first attempt fails: then it is missing or too old.
const INSTALL_SCRIPT = `
  install() { ${INSTALL} -o DPkg::Lock::Timeout=${LOCK_TIMEOUT_SECONDS} "$@"; }
  install "$@" || { apt-get update && install "$@"; }
`

/**
 * Resolves when all of these Debian packages are installed. Installs missing ones if it runs as root on a
 * machine with apt-get. Otherwise it rejects with the command to run; if apt-get fails, it rejects with the
 * output of apt-get. Several processes may call it at the same time.
 *
 * @param {readonly string[]} names
 * @returns {Promise<void>}
 */
export async function ensureDebianPackages(names) {
  const missing = await missingPackages(names)
  if (missing.length === 0) return
  if (process.getuid?.() !== 0 || !existsSync(APT_GET)) {
    throw new Error(
      `these tests need Debian packages. Install them with: sudo ${INSTALL} ${missing.join(' ')}`,
    )
  }
  await install(missing)
}

const EXTRACTED = fileURLToPath(new URL('../.cache/debian', import.meta.url))

/**
 * Resolves with a folder that has the files of a Debian package, without installing it: installing a server would start
 * it. Needs no rights. Rejects with the command to run if the package cannot be downloaded.
 *
 * @param {string} name
 * @returns {Promise<string>}
 */
export async function extractDebianPackage(name) {
  const folder = join(EXTRACTED, name)
  if (existsSync(folder)) return folder
  const part = `${folder}.${process.pid}`
  await mkdir(join(part, 'files'), { recursive: true })
  try {
    await run(APT_GET, ['download', name], { cwd: part })
    const [archive] = (await readdir(part)).filter((file) => file.endsWith('.deb'))
    await run('dpkg', ['-x', join(part, archive), join(part, 'files')])
    // Another process may have been faster.
    await rename(join(part, 'files'), folder).catch((error) => {
      if (!existsSync(folder)) throw error
    })
  } catch (error) {
    const help = `Try: apt-get update && apt-get download ${name}`
    throw new Error(`The Debian package ${name} cannot be had. ${help}`, { cause: error })
  } finally {
    await rm(part, { recursive: true, force: true })
  }
  return folder
}

/** @param {readonly string[]} names */
async function missingPackages(names) {
  const query = ['-W', '-f', '${Package} ${db:Status-Status}\n', '--', ...names]
  // Fails if a package is unknown, but still lists the others.
  const { stdout } = await run('dpkg-query', query).catch((error) => ({
    stdout: error.stdout ?? '',
  }))
  const lines = stdout.split('\n')
  return names.filter((name) => !lines.includes(`${name} installed`))
}

/** @param {readonly string[]} names */
async function install(names) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  try {
    // If several processes get here at once, one installs, and the others then have nothing to do.
    const lock = ['-w', String(2 * LOCK_TIMEOUT_SECONDS), '/var/lib/apt']
    await run('flock', [...lock, 'sh', '-c', INSTALL_SCRIPT, 'install', ...names], { env })
  } catch (error) {
    const output = `${error.stdout ?? ''}${error.stderr ?? ''}` || error.message
    throw new Error(`'${INSTALL} ${names.join(' ')}' failed:\n${output}`, { cause: error })
  }
}

if (resolve(process.argv[1] ?? '') === fileURLToPath(import.meta.url)) {
  await ensureDebianPackages(process.argv.slice(2))
}
