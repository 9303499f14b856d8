/**
 * Builds the server as one executable file, `dist-binary/channelstream`. It has in it a copy of the running Node.js, the
 * program and the files that a running server reads.
 *
 * `node scripts/build-binary.mjs [file]` writes it to another place. Exits with 1 if this Node.js cannot be used for it.
 */
import { execFile } from 'node:child_process'
import { chmod, copyFile, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { rolldown } from 'rolldown'
import { FUSE, RESOURCE, whyNotInjectable } from './injectable-node.mjs'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const POSTJECT = fileURLToPath(new URL('cli.js', import.meta.resolve('postject')))
/** Folders with files that `src/` reads (`PACKAGE_FILES`). */
const FOLDERS = ['dist/frontend/client', 'dist/frontend/explorer', 'dist/frontend/admin']
/** As in the first line of `src/main.ts`. Node.js 20 ignores them here. */
const NODE_FLAGS = ['--max-semi-space-size=16']

/** `ws` then does not look for packages that it could use. Node.js would print a warning. */
const OPTIONAL_PACKAGES = {
  'process.env.WS_NO_BUFFER_UTIL': '"1"',
  'process.env.WS_NO_UTF_8_VALIDATE': '"1"',
}

const output = resolve(process.argv[2] ?? join(ROOT, 'dist-binary/channelstream'))
const reason = await whyNotInjectable(process.execPath)
if (reason === undefined) await build()
else {
  process.stderr.write(`The executable cannot be built. ${reason}\n`)
  process.exitCode = 1
}

async function build() {
  await import('./build-missing.mjs')
  await mkdir(dirname(output), { recursive: true })
  // Beside the output, so that it can be renamed to it.
  const folder = await mkdtemp(`${output}-`)
  try {
    await bundle(join(folder, 'main.cjs'))
    await makeBlob(folder)
    await makeExecutable(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
  process.stderr.write(`Built ${output}\n`)
}

/**
 * Writes the program as one CommonJS module. Node.js cannot run another kind from an executable, and such a module can
 * require only modules of Node.js.
 *
 * @param {string} file
 */
async function bundle(file) {
  const program = await rolldown({
    cwd: ROOT,
    platform: 'node',
    moduleTypes: { '.lua': 'text' },
    transform: { define: OPTIONAL_PACKAGES },
    input: 'src/main.ts',
  })
  const { output } = await program.write({ format: 'cjs', file, codeSplitting: false })
  await program.close()
  const foreign = output.flatMap(({ imports = [] }) => imports).filter((name) => !isBuiltin(name))
  if (foreign.length > 0) throw new Error(`not in the executable: ${foreign.join(', ')}`)
}

/** Writes what is put into the executable. @param {string} folder */
async function makeBlob(folder) {
  const files = (await Promise.all(FOLDERS.map(filesIn))).flat()
  const config = {
    main: join(folder, 'main.cjs'),
    output: join(folder, 'blob'),
    disableExperimentalSEAWarning: true,
    execArgv: NODE_FLAGS,
    assets: Object.fromEntries(['package.json', ...files].map((path) => [path, join(ROOT, path)])),
  }
  await writeFile(join(folder, 'config.json'), JSON.stringify(config))
  await run('--experimental-sea-config', join(folder, 'config.json'))
}

/** Puts it into a copy of Node.js. @param {string} folder */
async function makeExecutable(folder) {
  const executable = join(folder, 'node')
  await copyFile(process.execPath, executable)
  await chmod(executable, 0o755)
  await run(POSTJECT, executable, RESOURCE, join(folder, 'blob'), '--sentinel-fuse', FUSE)
  await rename(executable, output)
}

/** @param {string} folder @returns {Promise<string[]>} */
async function filesIn(folder) {
  const entries = await readdir(join(ROOT, folder), { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length))
}

/**
 * Runs Node.js. Its output is part of the error if it fails, and is not shown otherwise: postject warns without a cause.
 *
 * @param {string[]} words
 */
async function run(...words) {
  await promisify(execFile)(process.execPath, words, { cwd: ROOT })
}
