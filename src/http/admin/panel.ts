/** The admin panel as it was built (`npm run build:admin`): a page, and the files that it loads. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import { PACKAGE_ROOT } from '../../lib/package-root.ts'
import type { FastifyInstance } from 'fastify'

const BUILT = fileURLToPath(new URL('dist/frontend/admin/', PACKAGE_ROOT))
const ASSETS = `${BUILT}admin/assets`

/** Own files only, and text never becomes markup: browsers refuse scripts that try, but for Lit’s own templates. */
export const PANEL_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types lit-html',
].join('; ')

/** The page, or undefined if it was not built. */
export async function panelPage(): Promise<string | undefined> {
  try {
    return await readFile(`${BUILT}index.html`, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** `/admin/assets/*`. Names change with what is in the files, so browsers may keep them for a year. */
export async function servePanelAssets(http: FastifyInstance): Promise<void> {
  if (!existsSync(ASSETS)) return // the page says how to build them
  await http.register(fastifyStatic, {
    root: ASSETS,
    prefix: '/admin/assets/',
    decorateReply: false,
    index: false,
    immutable: true,
    maxAge: '365d',
  })
}
