/**
 * Packs both packages as npm would publish them, and checks the archives with publint and attw. They find files that
 * `exports` names and that are missing, and types that do not fit what is loaded, for each way of resolving modules.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

// One after the other: imported statically, both would run at the same time.
await import('./build-missing.mjs')
await import('./fill-client-package.mjs')

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const PROGRAMS = join(ROOT, 'node_modules', '.bin')

const PACKAGES = [
  { folder: ROOT, dual: ['backend', 'client', 'client/channels'] },
  { folder: join(ROOT, 'frontend', 'client'), dual: ['.', 'channels'] },
]

const archives = mkdtempSync(join(tmpdir(), 'channelstream-packages-'))
try {
  for (const { folder, dual } of PACKAGES) check(pack(folder), dual)
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

/**
 * The entries in `dual` are also for CommonJS. The others, such as the server, are ES modules only.
 *
 * @param {string} archive @param {readonly string[]} dual
 */
function check(archive, dual) {
  run('publint', ['run', archive, '--strict'])
  run('attw', [archive, '--ignore-rules', 'cjs-resolves-to-esm'])
  run('attw', [archive, '--entrypoints', ...dual])
}

/** @param {string} program @param {readonly string[]} args */
function run(program, args) {
  execFileSync(join(PROGRAMS, program), args, { cwd: archives, stdio: 'inherit' })
}
