import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { rolldown } from 'rolldown'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { ROOT } from '../docs/markdown.ts'
import { run } from '../docs/running.ts'
import { BUILD_TIMEOUT_MS, buildTypes } from '../helpers/build.ts'
import { startServer } from '../helpers/server.ts'

const root = fileURLToPath(ROOT)
/** Above what it has: about 6 KiB. */
const MAX_GZIPPED_BYTES = 12 * 1024

describe('channelstream/backend, as it is published', () => {
  let folder: string
  beforeAll(async () => {
    await buildTypes()
    folder = await mkdtemp(join(tmpdir(), 'channelstream-backend-'))
    await mkdir(join(folder, 'node_modules'))
    await symlink(root, join(folder, 'node_modules', 'channelstream'))
    await symlink(join(root, 'node_modules', '@types'), join(folder, 'node_modules', '@types'))
  }, BUILD_TIMEOUT_MS)
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('is one file, which loads nothing before the first request', async () => {
    const text = await readFile(join(root, 'dist/backend/index.js'), 'utf8')
    expect([...text.matchAll(IMPORT)].map(([, name]) => name)).toEqual([])
    expect([...text.matchAll(LATER_IMPORT)].map(([, name]) => name)).toEqual([
      'node:https',
      'node:http',
    ])
    const common = await readFile(join(root, 'dist/backend/index.cjs'), 'utf8')
    expect(common.match(/require\(/g)).toBeNull()
  })

  it('is small in a bundle, and has nothing of zod', async () => {
    const bundle = await rolldown({
      input: join(root, 'dist/backend/index.js'),
      platform: 'node',
      external: /^node:/,
    })
    const { output } = await bundle.generate({ minify: true })
    await bundle.close()
    const code = output.map((file) => (file.type === 'chunk' ? file.code : '')).join('')
    expect(gzipSync(code).length).toBeLessThanOrEqual(MAX_GZIPPED_BYTES)
    expect(code).not.toMatch(/zod/i)
  })

  it('runs without the modules of Node.js, with fetch', async () => {
    const server = await startServer()
    onTestFinished(() => server.close())
    await writeFile(join(folder, 'hooks.mjs'), NO_MODULES)
    const file = join(folder, 'worker.mjs')
    await writeFile(file, `const url = '${server.url}'\n${WORKER}`)
    const { stdout } = await run(process.execPath, [file])
    expect(stdout).toBe('ann\nthis runtime has no node:http\n')
  })

  it(
    'has types that a project of its own sees',
    async () => {
      await writeFile(join(folder, 'package.json'), '{"type": "module"}')
      await writeFile(join(folder, 'tsconfig.json'), TSCONFIG)
      await writeFile(join(folder, 'index.ts'), PROGRAM)
      const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
      await run(process.execPath, [tsc, '-p', folder])
    },
    BUILD_TIMEOUT_MS,
  )

  it('lets a process end that is done with it', async () => {
    const file = join(folder, 'ends.mjs')
    await writeFile(file, ENDS)
    expect((await run(process.execPath, [file])).stdout).toBe('{"status":"ok"}\n')
  })
})

const TSCONFIG = JSON.stringify({
  compilerOptions: {
    module: 'NodeNext',
    target: 'ES2023',
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    types: ['node'],
  },
  include: ['index.ts'],
})

const PROGRAM = `
import { Channelstream, ChannelstreamError } from 'channelstream/backend'
const client = new Channelstream({ url: 'http://127.0.0.1:8000', secret: 'secret' })
const { conn_id } = await client.connect({ username: 'ann', channels: ['lobby'] })
const text: string = conn_id
// @ts-expect-error
await client.connect({ username: 'ann', chanels: [] })
await client.message({ user: 'bob', channel: 'lobby' }).catch((error: unknown) => {
  if (error instanceof ChannelstreamError && error.code === 'INVALID') console.log(error.complaints)
})
console.log(text)
`

/** A program that ends while its client still has an open, idle connection. */
const ENDS = `
import { createServer } from 'node:http'
import { Channelstream } from 'channelstream/backend'
const server = createServer((_, response) => response.end('{"status":"ok"}'))
server.keepAliveTimeout = 60_000
server.on('connection', (socket) => socket.unref())
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const client = new Channelstream({ url: 'http://127.0.0.1:' + server.address().port, secret: 'x' })
console.log(JSON.stringify(await client.health()))
server.unref()
`

const IMPORT = /^(?:import|export)\s(?:[\w*{},\s]*\sfrom\s)?['"]([^'"]+)['"]/gm
const LATER_IMPORT = /\bimport\(['"]([^'"]+)['"]\)/g

/** Refuses what this library imports, as a runtime without these modules does. */
const NO_MODULES = `
export async function resolve(name, context, next) {
  if (context.parentURL?.includes('/dist/backend/')) throw new Error('this runtime has no ' + name)
  return next(name, context)
}
`
const WORKER = `
import { register } from 'node:module'
register('./hooks.mjs', import.meta.url)
const { Channelstream } = await import('channelstream/backend')
const client = new Channelstream({ url, secret: 'secret', fetch })
console.log((await client.connect({ username: 'ann' })).username)
await new Channelstream({ url, secret: 'secret' }).health().catch(({ message }) => console.log(message))
`
