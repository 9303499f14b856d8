/** The built admin panel (`npm run build:admin`): its page and the files that the page loads. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import { PACKAGE_ROOT } from '../../lib/package-root.ts'
import type { FastifyInstance } from 'fastify'

const BUILT = fileURLToPath(new URL('dist/frontend/admin/', PACKAGE_ROOT))
const ASSETS = `${BUILT}admin/assets`

/**
 * Allows only this server's own files. Text never becomes markup: with Trusted Types, browsers allow only Lit's own
 * templates to create it.
 */
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

/** Returns the page, or undefined if the panel was not built. */
export async function panelPage(): Promise<string | undefined> {
  try {
    return await readFile(`${BUILT}index.html`, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Serves `/admin/assets/*`. File names change with their content, so browsers may cache the files for a year. */
export async function servePanelAssets(http: FastifyInstance): Promise<void> {
  if (!existsSync(ASSETS)) return // the page explains how to build them
  await http.register(fastifyStatic, {
    root: ASSETS,
    prefix: '/admin/assets/',
    decorateReply: false,
    index: false,
    immutable: true,
    maxAge: '365d',
  })
}
