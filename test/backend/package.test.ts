import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ROOT } from '../docs/markdown.ts'
import { run } from '../docs/running.ts'
import { BUILD_TIMEOUT_MS, buildTypes } from '../helpers/build.ts'

const root = fileURLToPath(ROOT)

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

  it('loads zod and Node.js, and nothing of the server', async () => {
    const entry = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
      exports: Record<string, { default: string }>
    }
    const loaded = await importsOf(join(root, entry.exports['./backend']?.default ?? ''))
    const packages = loaded.filter((name) => !name.startsWith('/') && !name.startsWith('node:'))
    expect(packages).toEqual(['zod'])
    const parts = loaded
      .filter((name) => name.startsWith('/'))
      .map((file) => file.slice(root.length).split('/').slice(1, -1).join('/'))
    expect([...new Set(parts)].toSorted()).toEqual(['backend', 'http', 'protocol'])
    expect(loaded.filter((name) => name.includes('/http/'))).toEqual([
      join(root, 'dist/http/signature.js'),
    ])
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

/** Returns everything that importing a built module loads: files by path, packages by name. */
async function importsOf(entry: string): Promise<string[]> {
  const loaded = new Set([entry])
  for (const file of loaded) {
    if (!file.startsWith('/')) continue
    const text = await readFile(file, 'utf8')
    for (const [, name = ''] of text.matchAll(IMPORT))
      loaded.add(name.startsWith('.') ? resolve(dirname(file), name) : name)
  }
  return [...loaded]
}
