/**
 * Builds the client for pages, by `frontend/client/vite.config.ts`, into `dist/frontend/client/`.
 *
 * A file changes only if its contents do, and in one step: a server that starts builds, and others may be reading.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const folder = fileURLToPath(new URL('../dist/frontend/client/', import.meta.url))
const root = fileURLToPath(new URL('../frontend/client/', import.meta.url))

const [{ output }] = await build({ root, configFile: join(root, 'vite.config.ts') })
await mkdir(folder, { recursive: true })
for (const file of output) await replace(join(folder, file.fileName), file.code ?? file.source)

/** @param {string} path @param {string} text */
async function replace(path, text) {
  if ((await readFile(path, 'utf8').catch(() => undefined)) === text) return
  const written = `${path}.${process.pid}`
  await writeFile(written, text)
  await rename(written, path)
}
