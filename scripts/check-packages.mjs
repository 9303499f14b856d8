/**
 * Packs both packages as npm would publish them, and checks the archives with publint and attw. They find files that
 * `exports` names and that are missing, and types that do not fit what is loaded, for each way of resolving modules.
 */
import './build-missing.mjs'
import './fill-client-package.mjs'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const PROGRAMS = join(ROOT, 'node_modules', '.bin')

const PACKAGES = [
  // The server itself is an ES module, which CommonJS gets by `await import()`. Only TypeScript since 5.8 knows better.
  { folder: ROOT, entries: ['backend', 'client'] },
  { folder: join(ROOT, 'frontend', 'client'), entries: ['.'] },
]

const archives = mkdtempSync(join(tmpdir(), 'channelstream-packages-'))
try {
  for (const { folder, entries } of PACKAGES) check(pack(folder), entries)
} catch (error) {
  if (typeof error.status !== 'number') throw error
  process.exitCode = 1 // the program has printed what is wrong
} finally {
  rmSync(archives, { recursive: true })
}

/** Without `prepack`, which deletes `dist/` first: a server may be running from it. @param {string} folder */
function pack(folder) {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', archives]
  const [{ filename }] = JSON.parse(execFileSync('npm', args, { cwd: folder, encoding: 'utf8' }))
  return join(archives, filename)
}

/** @param {string} archive @param {readonly string[]} entries */
function check(archive, entries) {
  run('publint', ['run', archive, '--strict'])
  run('attw', [archive, '--entrypoints', ...entries])
}

/** @param {string} program @param {readonly string[]} args */
function run(program, args) {
  execFileSync(join(PROGRAMS, program), args, { cwd: archives, stdio: 'inherit' })
}
