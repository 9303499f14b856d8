/** SIGHUP at a real process: the configuration is read again, and the process never ends because of it. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { Backend, until } from '../helpers/http.ts'
import { freePort } from '../helpers/ports.ts'
import { MAIN, ServerProcess, killProcesses } from '../helpers/process.ts'
import type { AddressInfo, Socket } from 'node:net'

const run = promisify(execFile)
afterAll(killProcesses)

const HERE = new URL('./', import.meta.url).pathname
const INI = 'channelstream.ini'
const ini = (lines: readonly string[]): string => ['[channelstream]', ...lines, ''].join('\n')
const SECRETS = ['secret = one', 'admin_secret = admin one']

const startWith = (lines: readonly string[], args: readonly string[] = []) =>
  ServerProcess.start({ files: { [INI]: ini(lines) }, args: ['--ini', INI, ...args] })

interface Line {
  readonly level: number
  readonly msg: string
  readonly changed?: readonly string[]
  readonly needRestart?: readonly string[]
  readonly reason?: string
}

const OWN_CHECKER = `
export function createSignatureChecker({ secret }) {
  console.log('check for ' + secret)
  return { verify: () => undefined }
}`
const [INFO, WARN, ERROR] = [30, 40, 50]
const linesOf = ({ stderr }: ServerProcess): Line[] =>
  stderr
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as Line)

/** Sends the signal, and resolves with the line of the log about it. */
async function readAgain(server: ServerProcess): Promise<Line | undefined> {
  const about = () => linesOf(server).filter(({ msg }) => msg.includes('was read again'))
  const before = about().length
  server.signal('SIGHUP')
  await until(() => about().length > before, 'a line about the configuration')
  return about().at(-1)
}

/** Changes the file before. */
async function readNew(server: ServerProcess, lines: readonly string[]): Promise<Line | undefined> {
  await writeFile(join(server.directory, INI), ini(lines))
  return readAgain(server)
}

const statusWith = async (server: ServerProcess, secret: string): Promise<number> =>
  (await new Backend(server, secret).send('POST /info')).status

describe('SIGHUP', () => {
  it('applies a new secret, and the log says which setting changed, but no value', async () => {
    const server = await startWith(SECRETS)
    const line = await readNew(server, ['secret = two', 'admin_secret = admin one'])
    expect(line).toMatchObject({ level: INFO, changed: ['secret'], needRestart: [] })
    expect([await statusWith(server, 'one'), await statusWith(server, 'two')]).toEqual([401, 200])
    expect(server.output).not.toMatch(/admin one|\btwo\b/)
  })

  it('says that other settings need a restart, unless a flag decides', async () => {
    const server = await startWith(SECRETS)
    const lines = [...SECRETS, 'port = 1', 'gc_conns_after = 33', 'log_level = warn']
    const expected = { level: WARN, changed: ['log_level'], needRestart: ['gc_conns_after'] }
    expect(await readNew(server, lines)).toMatchObject(expected)
  })

  it('changes nothing if the file has a fault, cannot be read, or lets everybody sign', async () => {
    const server = await startWith(['secret = one', 'admin_secret = two'], ['--host', '0.0.0.0'])
    const unknown = await readNew(server, ['secret = three', 'sercet = x'])
    expect(unknown).toMatchObject({
      level: ERROR,
      reason: expect.stringContaining('sercet') as string,
    })
    const open = await readNew(server, ['admin_secret = two'])
    expect(open?.reason).toContain('secret')
    await rm(join(server.directory, INI))
    expect((await readAgain(server))?.reason).toContain(INI)
    expect([await statusWith(server, 'one'), await statusWith(server, 'secret')]).toEqual([
      200, 401,
    ])
  })

  it('refuses public secrets also if the host would be another one after a restart', async () => {
    const server = await startWith(SECRETS)
    expect(server.stdout).toContain('0.0.0.0')
    expect((await readNew(server, []))?.reason).toContain('other machines can reach')
    expect(await statusWith(server, 'one')).toBe(200)
  })

  it('shows a new note of the configuration once', async () => {
    const server = await startWith([...SECRETS, 'allow_cors = example.com'])
    const unsafe = [...SECRETS, 'allow_cors = example.com', 'validate_requests = false']
    for (let n = 0; n < 2; n++) await readNew(server, unsafe)
    const notes = linesOf(server).filter(({ msg }) => msg.startsWith('validate_requests is false'))
    expect(notes).toMatchObject([{ level: WARN }])
  })

  it('may come many times at once', async () => {
    const server = await startWith(SECRETS)
    await writeFile(join(server.directory, INI), ini(['secret = last', SECRETS[1] ?? '']))
    for (let n = 0; n < 200; n++) server.signal('SIGHUP')
    await until(async () => (await statusWith(server, 'last')) === 200, 'the last secret')
    expect(server.exit).toBeUndefined()
  })

  it('does not end a server that is still starting', async () => {
    const silent = createServer()
    onTestFinished(() => void silent.close())
    await once(silent.listen(0, '127.0.0.1'), 'listening')
    const { port } = silent.address() as AddressInfo
    const settings = { redis_url: `redis://127.0.0.1:${port}`, redis_connect_timeout: 1 }
    const server = ServerProcess.spawned({ args: ['--port', '0'], settings })
    const [socket] = (await once(silent, 'connection')) as [Socket]
    server.signal('SIGHUP')
    onTestFinished(() => void socket.destroy())
    expect(await server.ended()).toEqual({ code: 1, signal: null })
  })

  it('does not end Philote by itself, which has nothing to read again', async () => {
    const server = await ServerProcess.startPhilote()
    server.signal('SIGHUP')
    server.signal('SIGTERM')
    expect(await server.ended()).toEqual({ code: 0, signal: null })
  })

  it.each([
    ['in a terminal, and stops a server whose terminal is gone', 'open', 'by signal 1'],
    ['with the streams of a terminal that is not its own', 'detached', 'with 0'],
  ])('is nothing but a request %s', async (_case, mode, end) => {
    const args = [join(HERE, 'terminal.py'), mode, process.execPath, MAIN]
    const { stdout } = await run('python3', args, { timeout: 60_000 })
    expect(stdout).toBe(`read again\nended ${end}\n`)
  })

  it('refuses what would open Philote to everybody, because a part of it needs a restart', async () => {
    const port = await freePort()
    const philote = [`philote_port = ${port}`, 'philote_host = 0.0.0.0']
    const server = await startWith([...SECRETS, ...philote, 'philote_secret = strong'])
    const lines = [...SECRETS, ...philote, 'philote_redis_url = redis://127.0.0.1:1']
    expect((await readNew(server, lines))?.reason).toContain('philote_secret')
  })

  it('changes the level of the whole log', async () => {
    const lines = [...SECRETS, 'max_sockets_per_address = 1']
    const server = await startWith([...lines, 'log_level = error'])
    const refusals = () => linesOf(server).filter(({ msg }) => msg.includes('sockets are refused'))
    await readNew(server, [...lines, 'log_level = info'])
    const from = { host: server.host, port: server.port, localAddress: '127.0.0.2' }
    const sockets = [1, 2].map(() => connect(from).resume())
    onTestFinished(() => sockets.forEach((socket) => socket.destroy()))
    await until(() => refusals().length > 0, 'a line about refused sockets')
    expect(server.stdout).toContain('configuration read again: changed log_level\n')
  })

  it('asks the module of the operator for a new check only if a secret changes', async () => {
    const server = await ServerProcess.start({
      files: { [INI]: ini([...SECRETS, 'signature_checker = ./own.mjs']), 'own.mjs': OWN_CHECKER },
      args: ['--ini', INI],
    })
    await readNew(server, [...SECRETS, 'signature_checker = ./own.mjs', 'max_sockets = 900'])
    expect(server.stdout.match(/check for .*/g)).toEqual(['check for one'])
    await readNew(server, ['secret = two', SECRETS[1] ?? '', 'signature_checker = ./own.mjs'])
    expect(server.stdout.match(/check for .*/g)).toEqual(['check for one', 'check for two'])
  })
})
