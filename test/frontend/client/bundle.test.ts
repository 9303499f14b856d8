import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import * as rolldown from 'rolldown'
import ts from 'typescript'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { ROOT } from '../../docs/markdown.ts'
import { BUILD_TIMEOUT_MS, buildTypes } from '../../helpers/build.ts'
import { startServer } from '../../helpers/server.ts'
import { PageBackend, addresses } from './page-backend.ts'

const run = promisify(execFile)
const BUNDLE = new URL('dist/frontend/client/channelstream.js', ROOT)
const MAX_GZIPPED_BYTES = 8 * 1024

const WITH_DOM = ['lib.es2023.d.ts', 'lib.dom.d.ts']

let folder: string
beforeAll(async () => {
  await buildTypes()
  folder = await mkdtemp(join(tmpdir(), 'channelstream-client-'))
  await mkdir(join(folder, 'node_modules'))
  await symlink(fileURLToPath(ROOT), join(folder, 'node_modules', 'channelstream'))
  return () => rm(folder, { recursive: true, force: true })
}, BUILD_TIMEOUT_MS)

describe('the built client', () => {
  it.each([
    ['channelstream.js', MAX_GZIPPED_BYTES],
    ['channelstream.iife.js', MAX_GZIPPED_BYTES],
    ['channels.js', 1_800],
    ['channels.iife.js', 1_800],
  ])('is small: %s', async (name, limit) => {
    const bytes = await readFile(new URL(name, BUNDLE))
    expect(gzipSync(bytes, { level: 9 }).length).toBeLessThanOrEqual(limit)
  })

  it('costs a page no more if it comes from npm, where the signer is in the same module', async () => {
    const [bundle] = await rolldown
      .build({
        input: 'page.js',
        write: false,
        plugins: [
          {
            name: 'page',
            resolveId: (id) => (id === 'page.js' ? id : null),
            load: (id) =>
              id === 'page.js'
                ? `import { ChannelstreamConnection } from '${fileURLToPath(new URL('index.js', BUNDLE))}'
                 globalThis.connection = new ChannelstreamConnection()`
                : null,
          },
        ],
        output: { minify: true },
      })
      .then(({ output }) => output)
    expect(gzipSync(bundle.code, { level: 9 }).length).toBeLessThanOrEqual(MAX_GZIPPED_BYTES)
    expect(bundle.code).not.toContain('itsdangerous')
  })

  it('is one module that imports nothing and names no host', async () => {
    const script = await readFile(BUNDLE, 'utf8')
    expect(script.match(/\bimport\b|\brequire\(/g)).toBeNull()
    expect(script.match(/(https?|wss?):\/\//g)).toBeNull()
    expect(script).toContain('sourceMappingURL=channelstream.js.map')
    const map = JSON.parse(await readFile(new URL(`${BUNDLE.href}.map`), 'utf8')) as {
      sources: string[]
    }
    expect(map.sources.length).toBeGreaterThan(5)
  })

  it.each([
    ['a browser', { lib: WITH_DOM }],
    [
      'a bundler',
      {
        lib: WITH_DOM,
        module: ts.ModuleKind.ESNext,
        moduleResolution: ts.ModuleResolutionKind.Bundler,
      },
    ],
    [
      'Node',
      {
        lib: ['lib.es2023.d.ts'],
        types: ['node'],
        typeRoots: [fileURLToPath(new URL('node_modules/@types', ROOT))],
      },
    ],
  ])(
    'has types that %s can use with nothing else installed',
    async (_where, options: ts.CompilerOptions) => {
      const file = join(folder, 'page.ts')
      await writeFile(file, PAGE)
      expect(faultsOfTypes(file, options)).toEqual([])
    },
    60_000,
  )
})

/** The compiler's messages about the file and its imports, except for declarations of TypeScript and Node. */
function faultsOfTypes(file: string, more: ts.CompilerOptions): string[] {
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    preserveSymlinks: true,
    ...more,
  }
  const program = ts.createProgram([file], options)
  const files = program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(folder))
  expect(files.length, 'the file, and declarations of the client').toBeGreaterThan(1)
  return [
    ...program.getOptionsDiagnostics(),
    ...program.getGlobalDiagnostics(),
    ...files.flatMap((one) => [
      ...program.getSyntacticDiagnostics(one),
      ...program.getSemanticDiagnostics(one),
    ]),
  ].map(
    ({ file: at, messageText }) =>
      `${at?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
  )
}

const PAGE = `
import { ChannelStreamConnection, ChannelstreamError } from 'channelstream/client'
const connection = new ChannelStreamConnection({ connectUrl: '/connect', websocketUrl: '/ws' })
connection.messageCallback = (request, data) => console.log(request.status, data)
connection.listenMessageCallback = (events) => events.length
const stop: () => void = connection.on('message', ({ user, message }) => console.log(user, message))
export async function main(): Promise<void> {
  try {
    await connection.connect()
    for await (const event of connection) if (event.type === 'gap') console.log(event.channels)
  } catch (error) {
    if (error instanceof ChannelstreamError) console.log(error.status, error.answer)
  }
  stop()
}
`

describe('a program', () => {
  async function runProgram(script: string) {
    const server = await startServer({ heartbeat_interval: 0.1 })
    onTestFinished(() => server.close())
    const backend = await PageBackend.start(server)
    const file = join(folder, 'program.mjs')
    const options = JSON.stringify(addresses(backend, server))
    await writeFile(
      file,
      `import { ChannelstreamConnection } from 'channelstream/client'
       import { WebSocket } from '${import.meta.resolve('ws')}'
       const connection = new ChannelstreamConnection({ ...${options}, WebSocket, channels: ['lobby'] })
       ${script}`,
    )
    const args = ['--preserve-symlinks', '--unhandled-rejections=strict', file]
    return { ...(await run(process.execPath, args, { timeout: 10_000 })), backend }
  }

  it('ends by itself after disconnect()', async () => {
    const { stdout } = await runProgram(`
      await connection.connect()
      console.log(connection.status)
      await connection.disconnect()`)
    expect(stdout).toBe('connected\n')
  })

  it('ends by itself after polling', async () => {
    const { stdout } = await runProgram(`
      connection.noWebsocket = true
      await connection.connect()
      console.log(connection.transport)
      await connection.disconnect()`)
    expect(stdout).toBe('longpoll\n')
  })

  it('does not end while a retry is waited for, and ends with disconnect()', async () => {
    const { stdout, backend } = await runProgram(`
      connection.connectUrl += '/wrong'
      connection.increaseBounceIv = 200
      connection.connect() // a rejection that nobody handles
      let failures = 0
      connection.connectErrorCallback = () => {
        if (++failures === 3) connection.disconnect().then(() => console.log('done'))
      }`)
    expect(stdout).toBe('done\n')
    expect(backend.calls).toEqual(['/connect/wrong', '/connect/wrong', '/connect/wrong'])
  })
})
