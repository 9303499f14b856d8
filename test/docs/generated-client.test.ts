/** Programs that are generated from the description of the API, by the commands of docs/backend.md. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { INSTALL_TIMEOUT_MS } from '../helpers/debian-packages.ts'
import { Backend, send } from '../helpers/http.ts'
import { Description } from '../helpers/openapi.ts'
import { ensurePythonPackages } from '../helpers/python-packages.ts'
import { startServer } from '../helpers/server.ts'
import { ROOT, fencesIn, readPage, sectionOf } from './markdown.ts'
import { at } from './running.ts'
import type { PythonPackages } from '../helpers/python-packages.ts'
import type { TestServer } from '../helpers/server.ts'

const run = promisify(execFile)
const root = fileURLToPath(ROOT)
const commands = fencesIn(sectionOf(await readPage('docs/backend.md'), 'Generate a client'), 'sh')
const [fetchDescription = '', generateTypes = '', generateModels = ''] = commands

let server: TestServer
let backend: Backend
let folder: string
let python: PythonPackages

/** Runs a command of the page in the folder, which has the files that it needs. */
const runHere = (command: string) => {
  const PATH = `${python.bin ?? ''}:${process.env['PATH'] ?? ''}`
  const script = at(`127.0.0.1:${server.port}`, command)
  return run('sh', ['-eu', '-c', script], { cwd: folder, env: { ...process.env, PATH } })
}

beforeAll(async () => {
  server = await startServer({ wake_connections_after: 0.05 })
  backend = new Backend(server)
  folder = await mkdtemp(join(tmpdir(), 'channelstream-generated-'))
  for (const name of ['node_modules', 'examples'])
    await symlink(join(root, name), join(folder, name))
  python = await ensurePythonPackages()
  await runHere(fetchDescription)
}, INSTALL_TIMEOUT_MS)
afterAll(async () => {
  await server.close()
  await rm(folder, { recursive: true, force: true })
})

/** Every operation: a call, and what a program reads of the answer. Wrong calls must not compile. */
const CALLS = fileURLToPath(new URL('generated-calls.txt', import.meta.url))

describe('types for TypeScript', () => {
  it('fit every call and every answer, and no wrong ones', async () => {
    await runHere(generateTypes)
    const calls = await readFile(CALLS, 'utf8')
    const { operations } = await Description.of(server)
    for (const { operationId } of operations) expect(calls).toContain(`call('${operationId}'`)
    const wrong = calls.split('// @ts-expect-error').length - 1
    expect(wrong).toBeGreaterThan(8)
    await writeFile(join(folder, 'calls.mts'), calls)
    const options = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--ignoreConfig']
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
    const files = ['--target', 'es2022', '--module', 'nodenext', 'calls.mts']
    const { stdout } = await run(process.execPath, [tsc, ...options, ...files], {
      cwd: folder,
    }).catch((error: unknown) => error as { readonly stdout: string })
    expect(stdout).toBe('')
  })
})

describe('models for Python', () => {
  it('read real answers, and refuse others', async (context) => {
    if (python.missing !== undefined) return context.skip(python.missing)
    await runHere(generateModels)
    const { document, ...description } = await Description.of(server)
    const answers = await realAnswers()
    const cases = answers.map(([line, { status, body }]) => {
      const [path = '', method = ''] = [line.split(' ')[1]?.split('?')[0], line.split(' ')[0]]
      const operation = document.paths[path]?.[method.toLowerCase()]
      const schema = operation?.responses[String(status)]?.content?.['application/json']?.schema
      return { line, schema, body }
    })
    expect(description.operations.length).toBeGreaterThan(0)
    await writeFile(join(folder, 'cases.json'), JSON.stringify(cases))
    const script = fileURLToPath(new URL('../python/read_answers.py', import.meta.url))
    const { stdout } = await run(join(python.bin, 'python'), [script, folder])
    expect(JSON.parse(stdout)).toEqual({ read: cases.length, refused: cases.length, faults: [] })
  })
})

async function realAnswers() {
  const conn_id = crypto.randomUUID()
  const uuid = crypto.randomUUID()
  const settings = { store_history: true, notify_presence: true }
  const requests: readonly (readonly [line: string, json?: unknown])[] = [
    [
      'POST /connect',
      { username: 'ann', conn_id, channels: ['a'], channel_configs: { a: settings } },
    ],
    ['POST /subscribe', { conn_id, channels: ['b'] }],
    ['POST /unsubscribe', { conn_id, channels: ['b'] }],
    ['POST /user_state', { user: 'ann', user_state: { color: 'red' } }],
    ['POST /channel_config', { a: settings }],
    ['POST /message', [{ user: 'bob', channel: 'a', uuid, message: { text: 'hello' }, more: 1 }]],
    ['POST /message?recipients=1', [{ user: 'bob', channel: 'a' }]],
    ['PATCH /message', [{ channel: 'a', uuid, message: {} }]],
    ['POST /history', { channel: 'a' }],
    ['POST /info'],
    ['POST /info', { counts: true }],
    ['POST /info', { users: ['ann'] }],
    [`GET /listen?conn_id=${conn_id}&hello=1`],
    ['DELETE /message', [{ channel: 'a', uuid }]],
    ['GET /admin/admin.json'],
    ['GET /admin/channels.json'],
    ['GET /admin/users.json'],
    ['GET /admin/figures.json'],
    ['GET /admin/webhooks.json'],
    ['GET /health'],
    ['POST /connect', { username: 7, channels: [''] }],
    ['POST /disconnect', { username: 'ann' }],
  ]
  const answers = []
  for (const [line, json] of requests)
    answers.push([line, await backend.send(line, json === undefined ? {} : { json })] as const)
  return [...answers, ['POST /info', await send(server, 'POST /info')] as const]
}
