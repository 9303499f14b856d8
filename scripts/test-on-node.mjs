/**
 * Runs the tests on other versions of Node.js, whose binaries come from npm's registry:
 *
 *     npm run test:node                     on Node 22 and 24
 *     npm run test:node -- 24 test/core     on Node 24, a part of the tests
 *
 * Arguments that are no numbers go to vitest. Exits with 1 if the tests fail on one of the versions.
 */
import { spawn } from 'node:child_process'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const VITEST = join(ROOT, 'node_modules/vitest/vitest.mjs')
/** The lines with long-term support beyond the one that `engines` begins with. */
const VERSIONS = ['22', '24']

const given = process.argv.slice(2)
const isVersion = (word) => /^\d+$/.test(word)
const versions = given.filter(isVersion)
const filters = given.filter((word) => !isVersion(word))

const failed = []
for (const version of versions.length > 0 ? versions : VERSIONS) {
  const folder = await installNode(version)
  const PATH = `${folder}${delimiter}${process.env.PATH}`
  process.stdout.write(`Node.js ${version}:\n`)
  const code = await run(join(folder, 'node'), [VITEST, 'run', ...filters], { PATH })
  if (code !== 0) failed.push(version)
}
if (failed.length > 0) {
  process.stdout.write(`Tests failed on Node.js ${failed.join(' and ')}.\n`)
  process.exitCode = 1
}

/**
 * Installs the newest release of a major version below `node_modules/`, without install scripts. Returns the folder of its
 * `node`.
 *
 * @param {string} version
 */
async function installNode(version) {
  const name = `node-${process.platform}-${process.arch}`
  const prefix = join(ROOT, 'node_modules/.cache', `node-${version}`)
  const flags = ['--no-save', '--no-package-lock', '--ignore-scripts', '--loglevel=error']
  const code = await run('npm', ['install', '--prefix', prefix, ...flags, `${name}@${version}`], {})
  if (code !== 0) throw new Error(`${name}@${version} cannot be installed`)
  return join(prefix, 'node_modules', name, 'bin')
}

/** @param {string} program @param {readonly string[]} words @param {Record<string, string>} env @returns {Promise<number>} */
function run(program, words, env) {
  const child = spawn(program, words, {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve(code ?? 1))
  })
}
