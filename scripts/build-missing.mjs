/** Builds the parts of the frontend that are missing from `dist/`, or older than what they are made from. */
import { execFile } from 'node:child_process'
import { readdir, stat } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)
const ROOT = new URL('../', import.meta.url)

/** Of each part: the npm script that builds it, a file that comes of it, and what it is made from. */
const PARTS = [
  {
    script: 'build:explorer',
    made: 'dist/frontend/explorer/index.html',
    from: ['frontend/explorer/', 'frontend/client/', 'package-lock.json'],
  },
  {
    script: 'build:client',
    made: 'dist/frontend/client/channelstream.js',
    from: ['frontend/client/', 'package-lock.json'],
  },
  {
    script: 'build:admin',
    made: 'dist/frontend/admin/index.html',
    from: ['frontend/admin/', 'frontend/admin.vite.config.ts', 'package-lock.json'],
  },
]

for (const { script, made, from } of PARTS) {
  const newest = Math.max(...(await Promise.all(from.map(changedAt))))
  if (newest > (await changedAt(made))) await run('npm', ['run', '--silent', script], { cwd: ROOT })
}

/** When a file, or the newest file of a folder, was changed; 0 if it is not there. */
async function changedAt(path) {
  const url = new URL(path, ROOT)
  const found = await stat(url).catch(() => undefined)
  if (!found) return 0
  if (!found.isDirectory()) return found.mtimeMs
  const names = await readdir(url, { recursive: true })
  const times = names.map(async (name) => (await stat(new URL(`${path}${name}`, ROOT))).mtimeMs)
  return Math.max(0, ...(await Promise.all(times)))
}
