/** Builds the API explorer into `dist/frontend/explorer/`: its page and script, and the files of Swagger UI. */
import { mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import { replaceFile } from './replace-file.mjs'

const folder = fileURLToPath(new URL('../dist/frontend/explorer/', import.meta.url))
const root = fileURLToPath(new URL('../frontend/explorer/', import.meta.url))
const swaggerUi = dirname(fileURLToPath(import.meta.resolve('swagger-ui-dist/package.json')))

const [{ output }] = await build({ root, configFile: join(root, 'vite.config.ts') })
await mkdir(folder, { recursive: true })
for (const file of output) await replaceFile(join(folder, file.fileName), file.code ?? file.source)
for (const name of ['index.html', 'explorer.css', 'favicon.svg']) await copy(root, name)
// The licence requires its text and the notice to be distributed too.
for (const name of ['swagger-ui-bundle.js', 'swagger-ui.css', 'LICENSE', 'NOTICE'])
  await copy(swaggerUi, name)

/** @param {string} from @param {string} name */
async function copy(from, name) {
  await replaceFile(join(folder, name), await readFile(join(from, name)))
}
