/** Serves files of this package that a page loads, such as scripts and styles. */
import { extname } from 'node:path'
import { PACKAGE_FILES } from '../lib/package-files.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

const TYPES: ReadonlyMap<string, string> = new Map([
  ['.css', 'text/css; charset=utf-8'],
  ['.html', 'text/html; charset=utf-8'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.svg', 'image/svg+xml'],
])
const PLAIN_TEXT = 'text/plain; charset=utf-8'

/** For files whose path changes with their content. */
export const FOREVER = 'public, max-age=31536000, immutable'

/** A name never leaves the folder, and does not begin with a dot. */
const FILE_NAME = /^\w[\w.-]*$/

export interface PageFiles {
  /** The folder in the package. Folders in it are not served. */
  readonly folder: string
  /** The path of the folder on the server. It ends with a slash. */
  readonly prefix: string
  /** The file that the prefix itself is answered with. Without one, it is answered 404. */
  readonly index?: string
  /** Headers of the files. */
  readonly headers: Readonly<Record<string, string>>
}

/** Serves `prefix` and each file below it. Files are read when they are asked for, so a new build is served at once. */
export function servePageFiles(
  http: FastifyInstance,
  { folder, prefix, index = '', headers }: PageFiles,
): void {
  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const name = (request.params as { '*': string })['*'] || index
    const bytes = FILE_NAME.test(name) ? await PACKAGE_FILES.read(folder + name) : undefined
    if (!bytes) return reply.callNotFound()
    return reply
      .headers(headers)
      .type(TYPES.get(extname(name)) ?? PLAIN_TEXT)
      .send(bytes)
  }
  http.route({ method: ['GET', 'HEAD'], url: `${prefix}*`, schema: { hide: true }, handler })
}
