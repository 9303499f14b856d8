/**
 * The server as one executable file: without Node.js in the path, without the package beside it, and without any
 * variable of the environment but those of a test.
 */
import { symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Admin } from '../helpers/admin.ts'
import { buildBinary, noBinary, whyNotInjectable } from '../helpers/binary.ts'
import { BUILD_TIMEOUT_MS } from '../helpers/build.ts'
import { INSTALL_TIMEOUT_MS } from '../helpers/debian-packages.ts'
import { Backend, send } from '../helpers/http.ts'
import { MAIN, ServerProcess, killProcesses } from '../helpers/process.ts'
import { RedisServer } from '../helpers/redis.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import type { HistoryResponse } from '../../src/protocol/responses.ts'
import type { Binary } from '../helpers/binary.ts'
import type { Answer } from '../helpers/http.ts'
import type { StartOptions } from '../helpers/process.ts'

const major = Number(process.versions.node.split('.')[0])

let binary: Binary | undefined
beforeAll(async () => {
  if (noBinary === undefined) binary = await buildBinary()
}, BUILD_TIMEOUT_MS)
afterAll(async () => {
  closeClients()
  await killProcesses()
  binary?.remove()
})

/** Options for the executable, which finds no other program. */
const alone = (options: StartOptions = {}): StartOptions => ({
  ...options,
  executable: binary?.path ?? '',
  env: { PATH: '', HOME: '', ...options.env },
})
const run = (options: StartOptions) => ServerProcess.run(alone(options))
const start = (options: StartOptions = {}) => ServerProcess.start(alone(options))

async function stop(server: ServerProcess): Promise<void> {
  server.signal('SIGTERM')
  expect(await server.ended()).toEqual({ code: 0, signal: null })
}

/** Returns the texts in the history of a channel. */
async function historyOf(server: ServerProcess, channel: string): Promise<unknown[]> {
  const backend = new Backend(server)
  const page = await backend.call<HistoryResponse>('POST /history', { channel })
  return page.history.map(({ message }) => (message as { text: string }).text)
}

it('is not made of a Node that has its code elsewhere, and the reason says so', async () => {
  expect(await whyNotInjectable(MAIN)).toMatch(/^Nothing can be put into .*libnode|on Linux only/)
})

if (noBinary !== undefined) it.skip(`the executable: ${noBinary}`)

describe.runIf(noBinary === undefined)('the executable', () => {
  it.each(['--version', '--help', 'jane --help', 'philote-admin --help'])(
    'prints for %s what the program from dist/ prints',
    async (line) => {
      const args = line.split(' ')
      const [here, there] = [await run({ args }), await ServerProcess.run({ args })]
      expect([here.exit, here.stdout, here.stderr]).toEqual([
        there.exit,
        there.stdout,
        there.stderr,
      ])
    },
  )

  it('makes a configuration, with which it starts', async () => {
    const { exit, stdout, stderr } = await run({ args: ['make-config', '-o', '-'] })
    expect([exit.code, stderr]).toEqual([0, ''])
    const files = { 'channelstream.ini': stdout }
    const server = await start({ files, args: ['--ini', 'channelstream.ini'] })
    const [, secret] = /^secret = (\S+)$/m.exec(stdout) ?? []
    expect((await new Backend(server, secret).send('POST /info')).status).toBe(200)
    await stop(server)
  })

  it('is channelstream_utils under that name', async () => {
    const folder = dirname(binary?.path ?? '')
    const executable = join(folder, 'channelstream_utils')
    symlinkSync('channelstream', executable)
    const { exit, stdout } = await ServerProcess.run({
      ...alone({ args: ['make_config', '-o', '-'] }),
      executable,
    })
    expect(exit.code).toBe(0)
    expect(stdout).toMatch(/^secret = \S+$/m)
  })

  it('serves clients and backends, warns of nothing, and stops on SIGTERM', async () => {
    const server = await start({ settings: { secret: 'own', admin_secret: 'own too' } })
    expect((await send(server, 'GET /health')).status).toBe(200)
    const backend = new Backend(server, 'own')
    const listener = await Listener.open(server, await backend.connect('ann', ['room']))
    await backend.say('room', 'hello')
    await listener.heard('hello')
    await stop(server)
    expect(server.stderr).not.toContain('Warning')
    expect((await listener.closed).code).toBe(1012)
  })

  it('serves the same pages and files as the program from dist/', async () => {
    const servers = [await start(), await ServerProcess.start()] as const
    const admins = [await Admin.signIn(servers[0]), await Admin.signIn(servers[1])] as const
    const open = async (path: string): Promise<Answer> => {
      const [here, there] = await Promise.all(admins.map((admin) => admin.open(path)))
      expect(here?.status, path).toBe(200)
      for (const name of ['content-type', 'content-length', 'cache-control', 'etag'])
        expect(here?.headers[name], `${name} of ${path}`).toBe(there?.headers[name])
      expect(here?.text === there?.text, path).toBe(true)
      return here as Answer
    }
    const loadedBy = async (page: string): Promise<string[]> => {
      const links = (await open(page)).text.matchAll(/(?:src|href)="([^"]+)"/g)
      return [...links].map(([, link = '']) => new URL(link, `http://host${page}`).pathname)
    }
    const panel = await loadedBy('/admin')
    const explorer = await loadedBy('/api-explorer/')
    expect(panel.length).toBeGreaterThan(2)
    expect(explorer.length).toBeGreaterThan(3)
    const client = ['channelstream', 'channels'].flatMap((name) =>
      ['js', 'js.map', 'iife.js', 'iife.js.map'].map((ending) => `/client/${name}.${ending}`),
    )
    const described = ['/openapi.json', '/api-explorer/json', '/api-explorer/LICENSE']
    for (const path of [...panel, ...explorer, ...client, ...described]) await open(path)
    expect((await admins[0].open('/api-explorer/package.json')).status).toBe(404)
  })

  it('keeps data, which another one goes on with, also after an export and an import', async () => {
    const first = await start({ settings: { data_dir: 'data' } })
    const config = { room: { store_history: true } }
    const backend = new Backend(first)
    await backend.connect('ann', ['room'], { channel_configs: config })
    await backend.say('room', 'kept')
    await stop(first)

    const settings = { data_dir: join(first.directory, 'data') }
    const again = await start({ settings })
    expect(await historyOf(again, 'room')).toEqual(['kept'])
    await stop(again)

    const exported = await run({ args: ['export'], settings })
    expect([exported.exit.code, exported.stderr]).toEqual([
      0,
      expect.stringMatching(/^Exported 1 channels/),
    ])
    const importing = ServerProcess.spawned(
      alone({ args: ['import'], settings: { data_dir: 'data' }, hasInput: true }),
    )
    importing.write(exported.stdout)
    importing.endInput()
    expect(await importing.ended()).toMatchObject({ code: 0 })
    const moved = await start({ settings: { data_dir: join(importing.directory, 'data') } })
    expect(await historyOf(moved, 'room')).toEqual(['kept'])
  })

  it('is Philote, and a jane for it', async () => {
    const env = { SECRET: 'philote' }
    const server = await ServerProcess.startPhilote(alone({ env }))
    const args = ['jane', '-s', 'philote', '-p', `127.0.0.1:${server.port}`, '-c', 'lobby']
    const connect = () =>
      ServerProcess.startCommand(/connected to /, alone({ args, hasInput: true }))
    const [ann, bob] = [await connect(), await connect()]
    ann.write('hello bob\n')
    await bob.says(/: hello bob$/m)
    await stop(server)
  })

  describe('with a Redis', () => {
    let redis: RedisServer | undefined
    beforeAll(async () => {
      if (noBinary === undefined) redis = await RedisServer.start()
    }, INSTALL_TIMEOUT_MS)
    afterAll(async () => redis?.stop())

    it('serves, and makes keys for Philote', async () => {
      const url = redis?.url ?? ''
      const server = await start({ settings: { redis_url: url } })
      const backend = new Backend(server)
      const listener = await Listener.open(server, await backend.connect('ann', ['room']))
      await backend.say('room', 'hello')
      await listener.heard('hello')
      await stop(server)
      const args = ['philote-admin', 'create-key', '-read', 'lobby']
      const { exit, stdout, stderr } = await run({ args, env: { REDIS_URL: url } })
      expect([exit.code, stderr]).toEqual([0, ''])
      expect(stdout).toMatch(/^[\da-f-]{36}\n$/)
    })
  })

  describe('with a signature_checker', () => {
    const OWN = `createSignatureChecker = () => ({
      verify: (signed) => signed === allowed ? { value: '', timestamp: 0, expiresAt: Infinity } : undefined,
    })`
    const MODULES = [
      [
        'an ES module that imports another',
        `import { allowed } from './allowed.mjs'\nexport const ${OWN}`,
      ],
      ['a CommonJS module', `const allowed = require('./allowed.cjs')\nexports.${OWN}`],
      // Node 26 finds no file with \`import()\` in an executable, and \`require\` refuses this.
      ...(major < 26
        ? [
            [
              'one that awaits',
              `const { allowed } = await import('./allowed.mjs')\nexport const ${OWN}`,
            ],
          ]
        : []),
    ]
    it.each(MODULES)('loads %s', async (_kind, text = '') => {
      const name = text.includes('require(') ? 'own.cjs' : 'own.mjs'
      const files = {
        [name]: text,
        'allowed.mjs': "export const allowed = 'open sesame'",
        'allowed.cjs': "module.exports = 'open sesame'",
      }
      const server = await start({ files, settings: { signature_checker: `./${name}` } })
      const statusWith = async (signed: string) =>
        (await send(server, 'POST /info', { headers: { 'x-channelstream-secret': signed } })).status
      expect(await statusWith('open sesame')).toBe(200)
      expect(await statusWith('sesame')).toBe(401)
      await stop(server)
      expect(server.stderr).not.toContain('Warning')
    })
  })
})
