/**
 * Builds the parts of `dist/` that are missing or out of date.
 *
 * `node scripts/build-missing.mjs [part …]` builds these parts. Without arguments, it builds all parts that a running
 * server needs.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readFile, readdir, stat } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { replaceFile } from './replace-file.mjs'

const ROOT = new URL('../', import.meta.url)

/** For each part: its title, one of its output files, and its sources. */
const PARTS = {
  server: {
    title: 'the server',
    made: 'dist/main.js',
    from: ['src/', 'scripts/build-server.mjs', 'package.json', 'package-lock.json'],
  },
  client: {
    title: 'the browser client',
    made: 'dist/frontend/client/channelstream.js',
    from: ['frontend/client/', 'scripts/build-client.mjs', 'package-lock.json'],
  },
  explorer: {
    title: 'the API explorer',
    made: 'dist/frontend/explorer/index.html',
    from: [
      'frontend/explorer/',
      'frontend/client/',
      'scripts/build-explorer.mjs',
      'package-lock.json',
    ],
  },
  admin: {
    title: 'the admin panel',
    made: 'dist/frontend/admin/index.html',
    from: [
      'frontend/admin/',
      'frontend/admin.vite.config.ts',
      'src/protocol/',
      'package-lock.json',
    ],
  },
  types: {
    title: 'type declarations',
    made: 'dist/backend/index.d.ts',
    from: [
      'src/',
      'frontend/client/',
      'scripts/build-types.mjs',
      'scripts/declarations.mjs',
      'scripts/written-out.mjs',
      'tsconfig.json',
      'tsconfig.build.json',
      'package-lock.json',
    ],
  },
}
/** The parts that a running server needs: all except the types. */
const FOR_RUNNING = ['server', 'client', 'explorer', 'admin']

const named =
  import.meta.url === pathToFileURL(process.argv[1] ?? '').href ? process.argv.slice(2) : []
for (const name of named.length > 0 ? named : FOR_RUNNING) await buildIfOutdated(name)

/** @param {string} name */
async function buildIfOutdated(name) {
  const part = PARTS[name]
  if (!part) throw new Error(`unknown part of the build: ${name}`)
  const { title, made, from } = part
  const stamp = new URL(`dist/.built/${name}`, ROOT)
  const sources = await fingerprint(from)
  const isThere = await stat(new URL(made, ROOT)).then(
    () => true,
    () => false,
  )
  if (isThere && (await readFile(stamp, 'utf8').catch(() => '')) === sources) return
  process.stderr.write(`Building ${title} …\n`)
  await npmRun(`build:${name}`)
  await mkdir(new URL('./', stamp), { recursive: true })
  await replaceFile(stamp.pathname, sources)
}

/** @param {string} script */
async function npmRun(script) {
  const child = spawn('npm', ['run', '--silent', script], { cwd: ROOT, stdio: ['ignore', 2, 2] })
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  if (code !== 0) process.exit(1)
}

/**
 * Returns a hash of the contents. File times are not reliable: checking out an older version makes files newer, and
 * unpacking an archive makes them older.
 *
 * @param {readonly string[]} paths Folders end with a slash.
 */
async function fingerprint(paths) {
  const hash = createHash('sha256')
  for (const path of paths) {
    const names = path.endsWith('/') ? await filesIn(path) : [path]
    for (const name of names) {
      const contents = await readFile(new URL(name, ROOT))
      hash.update(`${name}\0${contents.length}\0`).update(contents)
    }
  }
  return hash.digest('hex')
}

/** @param {string} folder */
async function filesIn(folder) {
  const entries = await readdir(new URL(folder, ROOT), { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      `${entry.parentPath.slice(ROOT.pathname.length)}/${entry.name}`.replaceAll('//', '/'),
    )
    .filter((path) => !path.includes('/dist/'))
    .sort()
}
