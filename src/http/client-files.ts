/** The client for pages, as files: a page can load it from the server that it listens to. */
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { PACKAGE_FILES } from '../lib/package-files.ts'
import { RequestError } from '../protocol/errors.ts'
import { VERSION } from '../version.ts'
import { FOREVER } from './page-files.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/** Made by `scripts/build-client.mjs`. */
const FOLDER = 'dist/frontend/client/'

const SCRIPT = 'text/javascript; charset=utf-8'
const SOURCE_MAP = 'application/json; charset=utf-8'
const TYPES: ReadonlyMap<string, string> = new Map([
  ['channelstream.js', SCRIPT],
  ['channelstream.js.map', SOURCE_MAP],
  ['channelstream.iife.js', SCRIPT],
  ['channelstream.iife.js.map', SOURCE_MAP],
  ['channels.js', SCRIPT],
  ['channels.js.map', SOURCE_MAP],
  ['channels.iife.js', SCRIPT],
  ['channels.iife.js.map', SOURCE_MAP],
])

const NOT_BUILT =
  'The client for pages is not built. Run "npm run build" where Channelstream is installed, and restart it.'

/** Any page may use the files, whatever `allow_cors` says: they are public, and every caller gets the same. */
const PUBLIC = {
  'access-control-allow-origin': '*',
  'cross-origin-resource-policy': 'cross-origin',
}
/** Caches ask each time if the file has changed. */
const CHECKED = 'no-cache'

export interface ClientFilesOptions {
  /** The folder in the package. */
  readonly folder?: string
}

/**
 * Serves `/client/<file>`, and the same files at `/client/<version>/<file>`. Logs a warning if they are not built.
 *
 * The files are read and compressed once, at the start: all requests share the same bytes.
 */
export async function clientFiles(
  http: FastifyInstance,
  { folder = FOLDER }: ClientFilesOptions,
): Promise<void> {
  const files = await readFiles(folder)
  if (files.size < TYPES.size) http.log.warn(NOT_BUILT)

  const serve = (cacheControl: string) => async (request: FastifyRequest, reply: FastifyReply) => {
    const { version = VERSION, name = '' } = request.params as { version?: string; name?: string }
    if (version !== VERSION || !TYPES.has(name)) throw new RequestError('NOT_FOUND')
    const file = files.get(name)
    if (!file)
      return reply
        .code(404)
        .headers(PUBLIC)
        .type('text/plain; charset=utf-8')
        .send(`${NOT_BUILT}\n`)
    return answer(request, reply.headers(PUBLIC).header('cache-control', cacheControl), file)
  }
  const shared = { method: ['GET', 'HEAD'], schema: { hide: true } }
  http.route({ ...shared, url: '/client/:name', handler: serve(CHECKED) })
  http.route({ ...shared, url: '/client/:version/:name', handler: serve(FOREVER) })
}

function answer(
  { headers }: FastifyRequest,
  reply: FastifyReply,
  { type, plain, gzipped }: ClientFile,
): FastifyReply {
  const isGzipped = acceptsGzip(headers['accept-encoding'])
  const { bytes, etag } = isGzipped ? gzipped : plain
  reply.headers({ etag, vary: 'Accept-Encoding' })
  if (names(headers['if-none-match'], etag)) return reply.code(304).send()
  if (isGzipped) reply.header('content-encoding', 'gzip')
  return reply.type(type).send(bytes)
}

interface ClientFile {
  readonly type: string
  readonly plain: Representation
  readonly gzipped: Representation
}

interface Representation {
  readonly bytes: Buffer
  /** Of the content, not of the time of the file: in packages from npm, every file has the same time. */
  readonly etag: string
}

async function readFiles(folder: string): Promise<ReadonlyMap<string, ClientFile>> {
  const files = await Promise.all(
    [...TYPES].map(async ([name, type]) => [name, await readIfBuilt(folder, name, type)] as const),
  )
  return new Map(files.flatMap(([name, file]) => (file ? [[name, file]] : [])))
}

async function readIfBuilt(
  folder: string,
  name: string,
  type: string,
): Promise<ClientFile | undefined> {
  const bytes = await PACKAGE_FILES.read(folder + name)
  if (!bytes) return undefined
  const compressed = await promisify(gzip)(bytes, { level: 9 })
  const hash = createHash('sha256').update(bytes).digest('base64url').slice(0, 22)
  return {
    type,
    plain: { bytes, etag: `"${hash}"` },
    gzipped: { bytes: compressed, etag: `"${hash}-gzip"` },
  }
}

/** `header` is the `Accept-Encoding`. A quality of 0 means that gzip is not accepted. */
const acceptsGzip = (header: string | string[] | undefined): boolean =>
  String(header ?? '')
    .toLowerCase()
    .split(',')
    .some((part) => {
      const [coding, ...parameters] = part.split(';').map((text) => text.trim())
      return coding === 'gzip' && !parameters.some((text) => /^q=0(\.0*)?$/.test(text))
    })

/** `header` is the `If-None-Match`. Proxies that compress again make an etag weak. */
const names = (header: string | undefined, etag: string): boolean =>
  header?.split(',').some((part) => {
    const given = part.trim()
    return given === '*' || given.replace(/^W\//, '') === etag
  }) ?? false
