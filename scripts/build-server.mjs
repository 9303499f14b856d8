/**
 * Builds the server into `dist/`:
 *
 * - the program: `dist/main.js` and `dist/chunks/`, bundled with its packages. Node.js loads a few large files
 *   three times as fast as the six hundred small source files;
 * - the modules that others import (`exports` in package.json), file by file, with packages not bundled;
 * - the library for backends, which needs no packages: one ES module and one CommonJS module.
 */
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { replaceFile } from './replace-file.mjs'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const DIST = join(ROOT, 'dist')
/** Old chunks are kept this long: a running server may still load chunks of the build that it was started from. */
const OLD_CHUNK_MS = 24 * 3600 * 1000

/** Modules that others import, and modules that the documentation scripts read. */
const MODULES = [
  'app/server.ts',
  'cli/make-config.ts',
  'config/schema.ts',
  'http/signature.ts',
  'protocol/index.ts',
]

const shared = { cwd: ROOT, platform: 'node', moduleTypes: { '.lua': 'text' } }

const program = await generate(
  { ...shared, input: { main: 'src/main.ts' } },
  { chunkFileNames: 'chunks/[name]-[hash].js' },
)
await generate(
  {
    ...shared,
    input: MODULES.map((path) => `src/${path}`),
    external: (id) => !/^[./]/.test(id),
  },
  { preserveModules: true, preserveModulesRoot: 'src' },
)
const library = {
  cwd: ROOT,
  platform: 'neutral',
  input: { 'backend/index': 'src/backend/index.ts' },
  external: /^node:/,
}
await generate(library, {})
await generate(library, { format: 'cjs', entryFileNames: '[name].cjs' })
await removeOldChunks(new Set(program))

/**
 * Writes the output of rolldown. Returns the paths relative to `dist/`.
 *
 * @param {import('rolldown').InputOptions} input @param {import('rolldown').OutputOptions} options
 */
async function generate(input, options) {
  const bundle = await rolldown(input)
  const { output } = await bundle.generate({
    format: 'esm',
    entryFileNames: '[name].js',
    ...options,
  })
  await bundle.close()
  for (const file of output) {
    const path = join(DIST, file.fileName)
    await mkdir(dirname(path), { recursive: true })
    await replaceFile(path, file.type === 'chunk' ? file.code : file.source)
  }
  return output.map(({ fileName }) => fileName)
}

/** @param {ReadonlySet<string>} current */
async function removeOldChunks(current) {
  for (const name of await readdir(join(DIST, 'chunks'))) {
    const path = join(DIST, 'chunks', name)
    const age = Date.now() - (await stat(path)).mtimeMs
    if (!current.has(`chunks/${name}`) && age > OLD_CHUNK_MS) await rm(path, { force: true })
  }
}
