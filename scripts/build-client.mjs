/** Builds the browser client with `frontend/client/vite.config.ts`, into `dist/frontend/client/`. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import { replaceFile } from './replace-file.mjs'

const folder = fileURLToPath(new URL('../dist/frontend/client/', import.meta.url))
const root = fileURLToPath(new URL('../frontend/client/', import.meta.url))

const builds = await build({ root, configFile: join(root, 'vite.config.ts') })
await mkdir(folder, { recursive: true })
for (const file of builds.flatMap(({ output }) => output))
  await replaceFile(join(folder, file.fileName), file.code ?? file.source)
