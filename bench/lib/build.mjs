/** Compiles the C programs of the bench into `.build/`, if they are missing or older than their sources. */
import { execFile } from 'node:child_process'
import { mkdir, readdir, rename, stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const SOURCES = fileURLToPath(new URL('../load/', import.meta.url))
const BUILD = fileURLToPath(new URL('../.build/', import.meta.url))
const PARTS = {
  load: ['load', 'measure', 'sign', 'request', 'subscribers', 'publishers', 'churn'],
  floor: ['floor', 'measure', 'sign', 'request'],
}
const INSTALL = 'apt-get install -y --no-install-recommends gcc libc6-dev'

/**
 * Resolves with the paths of the load generator and the bare write() server. Rejects with the packages to install if
 * there is no compiler.
 *
 * @returns {Promise<{ load: string, floor: string }>}
 */
export async function buildPrograms() {
  await mkdir(BUILD, { recursive: true })
  const newest = await newestSource()
  const [load, floor] = await Promise.all(Object.keys(PARTS).map((name) => build(name, newest)))
  return { load, floor }
}

async function newestSource() {
  const files = await readdir(SOURCES)
  const times = await Promise.all(files.map(async (file) => (await stat(SOURCES + file)).mtimeMs))
  return Math.max(...times)
}

async function build(name, newest) {
  const program = BUILD + name
  const built = await stat(program).catch(() => undefined)
  if (built && built.mtimeMs > newest) return program
  // Renamed once complete: another run may be about to start the program.
  const unfinished = `${program}.${process.pid}`
  const sources = PARTS[name].map((part) => `${SOURCES}${part}.c`)
  const flags = ['-O2', '-Wall', '-Wextra', '-pthread']
  try {
    await promisify(execFile)('gcc', [...flags, '-o', unfinished, ...sources])
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
    throw new Error(`the bench compiles its load generator with gcc; install it: sudo ${INSTALL}`, {
      cause: error,
    })
  }
  await rename(unfinished, program)
  return program
}
