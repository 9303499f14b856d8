/** Both packages as they are published: what TypeScript and Node.js make of them, old and new. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import current from 'typescript'
import old from 'typescript-5.4'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ROOT } from '../docs/markdown.ts'
import { run } from '../docs/running.ts'
import { BUILD_TIMEOUT_MS } from '../helpers/build.ts'
import { send } from '../helpers/http.ts'
import { installPackages } from '../helpers/packages.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'
import type { Installed } from '../helpers/packages.ts'

let packages: Installed
beforeAll(async () => {
  packages = await installPackages()
}, BUILD_TIMEOUT_MS)
afterAll(() => packages.remove())

interface Package {
  readonly version: string
  readonly dependencies?: object
}
const packageOf = async (folder: string): Promise<Package> =>
  JSON.parse(await readFile(join(fileURLToPath(ROOT), folder, 'package.json'), 'utf8')) as Package

describe('the package of the client', () => {
  it('has no dependencies, and the version of the server', async () => {
    const { version, dependencies } = await packageOf('frontend/client')
    expect(version).toBe((await packageOf('.')).version)
    expect(dependencies).toBeUndefined()
  })

  it('is what channelstream/client is', async () => {
    const modules = join(packages.folder, 'node_modules')
    for (const name of ['index', 'channels'].flatMap((module) =>
      ['js', 'cjs', 'd.ts', 'd.cts'].map((ending) => `${module}.${ending}`),
    ))
      expect(await readFile(join(modules, `channelstream-client/dist/${name}`), 'utf8')).toBe(
        await readFile(join(modules, `channelstream/dist/frontend/client/${name}`), 'utf8'),
      )
  })

  it('has its licence', async () => {
    const licence = join(packages.folder, 'node_modules/channelstream-client/LICENSE')
    expect(await readFile(licence, 'utf8')).toContain('MIT')
  })
})

const NAMES = ['channelstream/client', 'channelstream-client', 'channelstream/backend']

describe('Node.js', () => {
  it.each(NAMES)('loads the same exports by import and by require: %s', async (name) => {
    const file = join(packages.folder, 'load.mjs')
    await writeFile(
      file,
      `import { createRequire } from 'node:module'
       const names = (loaded) => Object.keys(loaded).filter((key) => key !== '__esModule').sort()
       const required = createRequire(import.meta.url)(${JSON.stringify(name)})
       console.log(JSON.stringify([names(await import(${JSON.stringify(name)})), names(required)]))`,
    )
    const [imported, required] = JSON.parse((await run(process.execPath, [file])).stdout) as [
      string[],
      string[],
    ]
    expect(imported).toContain('ChannelstreamError')
    expect(required).toEqual(imported)
  })

  it('calls a server with the library that CommonJS gets', async () => {
    const server = await startServer()
    const file = join(packages.folder, 'backend.cjs')
    await writeFile(
      file,
      `const { Channelstream } = require('channelstream/backend')
       const client = new Channelstream({ url: '${server.url}', secret: 'secret' })
       client.connect({ username: 'ann' }).then(({ username }) => console.log(username))`,
    )
    const { stdout } = await run(process.execPath, [file]).finally(() => server.close())
    expect(stdout).toBe('ann\n')
  })
})

describe('the packed server', () => {
  afterAll(killProcesses)

  it('serves the client', async () => {
    const main = join(packages.folder, 'node_modules/channelstream/dist/main.js')
    const server = await ServerProcess.start({
      command: [process.execPath, main, '--host', '127.0.0.1', '--port', '0'],
    })
    for (const name of ['channelstream.js', 'channelstream.iife.js.map'])
      expect((await send(server, `GET /client/${name}`)).status).toBe(200)
  })
})

type Compiler = typeof current
const COMPILERS: readonly (readonly [string, Compiler])[] = [
  [current.version, current],
  [old.version, old as unknown as Compiler],
]

const { ModuleKind, ModuleResolutionKind } = current
const PAGE = { lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'], types: [] }
const WORKER = { lib: ['lib.es2022.d.ts', 'lib.webworker.d.ts'], types: [] }
const NODE = { lib: ['lib.es2022.d.ts'], types: ['node'] }
const NODE_16 = { module: ModuleKind.Node16, moduleResolution: ModuleResolutionKind.Node16 }
const NODE_NEXT = { module: ModuleKind.NodeNext, moduleResolution: ModuleResolutionKind.NodeNext }
const BUNDLER = { module: ModuleKind.ESNext, moduleResolution: ModuleResolutionKind.Bundler }
const NODE_10 = { module: ModuleKind.CommonJS, moduleResolution: ModuleResolutionKind.Node10 }

const PROJECTS: readonly (readonly [string, string, current.CompilerOptions])[] = [
  ['a page, node10', 'page.ts', { ...PAGE, ...NODE_10 }],
  ['a page, a bundler', 'page.ts', { ...PAGE, ...BUNDLER }],
  ['a page, node16, an ES module', 'page.mts', { ...PAGE, ...NODE_16 }],
  ['a page, node16, CommonJS', 'page.cts', { ...PAGE, ...NODE_16 }],
  ['a page, nodenext, an ES module', 'page.mts', { ...PAGE, ...NODE_NEXT }],
  ['a page, nodenext, CommonJS', 'page.cts', { ...PAGE, ...NODE_NEXT }],
  ['a worker, a bundler', 'page.ts', { ...WORKER, ...BUNDLER }],
  ['Node.js, nodenext, an ES module', 'page.mts', { ...NODE, ...NODE_NEXT }],
  ['Node.js, node16, CommonJS', 'page.cts', { ...NODE, ...NODE_16 }],
]

describe.each(COMPILERS)('TypeScript %s', (_version, ts) => {
  it.each(PROJECTS)(
    'accepts the types of both packages, and finds mistakes: %s',
    async (_where, name, options) => {
      const imports = name.endsWith('.cts') ? COMMON_JS : ES_MODULE
      const [file, wrong] = [join(packages.folder, name), join(packages.folder, `wrong-${name}`)]
      await writeFile(file, imports + PROGRAM)
      await writeFile(wrong, imports + MISTAKES)
      const faults = faultsOf(ts, [file, wrong], options)
      expect(faults.filter(([at]) => at !== wrong)).toEqual([])
      expect(faults.filter(([at]) => at === wrong).length).toBe(MISTAKES.trim().split('\n').length)
    },
    BUILD_TIMEOUT_MS,
  )
})

type FaultOfTypes = readonly [file: string | undefined, text: string]

/** Returns what the compiler says of files and of the packages that they import. */
function faultsOf(
  ts: Compiler,
  files: readonly string[],
  more: current.CompilerOptions,
): FaultOfTypes[] {
  const isNode10 = more.moduleResolution === ModuleResolutionKind.Node10
  const options: current.CompilerOptions = {
    ...{ strict: true, noEmit: true, exactOptionalPropertyTypes: true, skipLibCheck: false },
    ...{ target: ts.ScriptTarget.ES2022, esModuleInterop: true },
    typeRoots: [join(packages.folder, 'node_modules', '@types')],
    // The current compiler still knows this way of resolving modules, but says that it is old.
    ...(isNode10 && ts === current && { ignoreDeprecations: '6.0' }),
    ...more,
  }
  const program = ts.createProgram(files, options)
  const ours = program
    .getSourceFiles()
    .filter(({ fileName }) => fileName.startsWith(packages.folder))
  const imported = ours.filter(({ fileName }) => fileName.includes('/node_modules/channelstream'))
  expect(imported.length, 'declarations of the three modules').toBe(3)
  return [
    ...program.getOptionsDiagnostics(),
    ...program.getGlobalDiagnostics(),
    ...ours.flatMap((one) => [
      ...program.getSyntacticDiagnostics(one),
      ...program.getSemanticDiagnostics(one),
    ]),
  ].map(({ file, messageText }) => [
    file?.fileName,
    ts.flattenDiagnosticMessageText(messageText, '\n'),
  ])
}

const ES_MODULE = `
import * as client from 'channelstream/client'
import * as own from 'channelstream-client'
import * as backend from 'channelstream/backend'
`
const COMMON_JS = `
import client = require('channelstream/client')
import own = require('channelstream-client')
import backend = require('channelstream/backend')
`
const PROGRAM = `
const connection = new client.ChannelStreamConnection({ connectUrl: '/connect', websocketUrl: '/ws' })
const other = new own.ChannelstreamConnection({ channels: ['lobby'] })
const stop: () => void = other.on('message', ({ user, message }) => user + String(message))
const channelstream = new backend.Channelstream({
  url: 'http://127.0.0.1:8000', secret: 'secret', tls: { ca: 'pem', rejectUnauthorized: true },
})
const request: backend.ConnectRequest = { username: 'ann', channels: ['lobby'] }
export async function main(signal: AbortSignal): Promise<string[]> {
  const found: string[] = []
  for await (const event of connection) if (event.type === 'gap') found.push(...event.channels)
  for await (const event of own_events()) found.push(event.id)
  const { conn_id, channels_info } = await channelstream.connect(request, { signal })
  const { settings, users } = channels_info.channels['lobby']!
  if (settings.store_history) found.push(conn_id, ...users)
  const [posted] = await channelstream.message({ user: 'bob', channel: 'lobby', message: { a: 1 } })
  try {
    await channelstream.edit({ uuid: posted?.uuid ?? '', message: { a: 2 } })
  } catch (error) {
    if (error instanceof backend.ChannelstreamError && error.code === 'INVALID')
      found.push(...Object.keys(error.complaints ?? {}))
    if (error instanceof client.ChannelstreamError) found.push(String(error.status))
  }
  stop()
  return found
}
const own_events = () => other.events({ limit: 5 })
`
const MISTAKES = `
export const connection = new client.ChannelstreamConnection({ connectUri: '/connect' })
export const other = new own.ChannelstreamConnection({ channels: 'lobby' })
export const channelstream = new backend.Channelstream({ url: 'http://127.0.0.1:8000' })
export const request: backend.ConnectRequest = { username: 'ann', chanels: [] }
`
