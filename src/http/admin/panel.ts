/** The built admin panel (`npm run build:admin`): its page and the files that the page loads. */
import { PACKAGE_FILES } from '../../lib/package-files.ts'
import { FOREVER, servePageFiles } from '../page-files.ts'
import type { FastifyInstance } from 'fastify'

const BUILT = 'dist/frontend/admin/'

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
  return (await PACKAGE_FILES.read(`${BUILT}index.html`))?.toString()
}

/** Serves `/admin/assets/*`. File names change with their content, so browsers may cache the files for a year. */
export function servePanelAssets(http: FastifyInstance): void {
  servePageFiles(http, {
    folder: `${BUILT}admin/assets/`,
    prefix: '/admin/assets/',
    headers: { 'cache-control': FOREVER },
  })
}
