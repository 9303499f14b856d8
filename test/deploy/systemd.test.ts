/** What a server reports to systemd (`Type=notify`), with the real `systemd-notify` and a receiver instead of systemd. */
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { ensurePackages } from '../helpers/debian-packages.ts'
import { send, until } from '../helpers/http.ts'
import { MAIN, ServerProcess, killProcesses } from '../helpers/process.ts'
import type { AddressInfo } from 'node:net'

const RECEIVER = fileURLToPath(new URL('../helpers/notify-receiver.py', import.meta.url))
const WATCHDOG = { WATCHDOG_USEC: '100000' }
const BLOCKED_MS = 3000
/** Blocks the event loop at a signal, and prints when, by the clock of the receiver. */
const BLOCK = `data:text/javascript,process.on('SIGUSR2', () => {
  const begun = Number(process.hrtime.bigint()) / 1e6;
  while (Number(process.hrtime.bigint()) / 1e6 - begun < ${BLOCKED_MS});
  console.error('blocked since ' + begun + ';')
})`

/** What has been reported to a socket. */
class Received {
  private constructor(
    readonly socket: string,
    private readonly receiver: ServerProcess,
  ) {}

  static async open(): Promise<Received> {
    const folder = await mkdtemp(join(tmpdir(), 'channelstream-notify-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const socket = join(folder, 'notify')
    const command: [string, ...string[]] = ['python3', RECEIVER, socket]
    return new Received(
      socket,
      await ServerProcess.startCommand(/receives/, { command, hasInput: true }),
    )
  }

  get env() {
    return { NOTIFY_SOCKET: this.socket }
  }

  get all(): { at: number; message: string }[] {
    const lines = this.receiver.stdout.split('\n').slice(1, -1)
    return lines.map((line) => {
      const [at, ...words] = line.split(' ')
      return { at: Number(at), message: words.join(' ') }
    })
  }

  get messages(): string[] {
    return this.all.map(({ message }) => message)
  }

  has(message: string): Promise<void> {
    return until(() => this.messages.includes(message), `${message} to be received`)
  }
}

/** A folder for the `PATH`, with a program `systemd-notify` that fails if `script` is given, and without it if not. */
async function folderWith(script?: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'channelstream-path-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  if (script !== undefined) {
    await writeFile(join(folder, 'systemd-notify'), script)
    await chmod(join(folder, 'systemd-notify'), 0o755)
  }
  return folder
}

const warnings = ({ stderr }: ServerProcess): number =>
  stderr.split('systemd-notify failed').length - 1

describe('a server that systemd has started', () => {
  beforeAll(() => ensurePackages('systemd'), 300_000)
  afterAll(killProcesses)

  it('reports that it is ready when it listens, and that it stops before it does', async () => {
    const received = await Received.open()
    const settings = { shutdown_delay: 60 }
    const server = await ServerProcess.start({ settings, env: received.env })
    await received.has('READY=1')
    server.signal('SIGTERM')
    await received.has('STOPPING=1')
    expect((await send(server, 'GET /health/live')).status).toBe(200)
    server.signal('SIGTERM')
    await server.ended()
    expect(received.messages).toEqual(['READY=1', 'STOPPING=1'])
    expect(warnings(server)).toBe(0)
  })

  it('reports nothing if it cannot listen', async () => {
    const received = await Received.open()
    const other = createServer().listen(0, '127.0.0.1')
    await until(() => other.listening, 'the other server')
    const { port } = other.address() as AddressInfo
    const server = await ServerProcess.run({ settings: { port }, env: received.env })
    other.close()
    expect(server.exit.code).toBe(1)
    expect(received.messages).toEqual([])
  })

  it('reports at intervals for the watchdog, but not while its event loop is blocked', async () => {
    const received = await Received.open()
    const env = { ...received.env, ...WATCHDOG }
    const server = await ServerProcess.start({ env, nodeArgs: ['--import', BLOCK] })
    const count = () => received.messages.filter((message) => message === 'WATCHDOG=1').length
    await until(() => count() > 3, 'reports')
    server.signal('SIGUSR2')
    await server.says(/blocked since .*;/)
    const before = count()
    await until(() => count() > before + 3, 'further reports')
    const begun = Number(/blocked since (.*);/.exec(server.stderr)?.[1])
    const meanwhile = received.all.filter(({ at }) => at > begun && at < begun + BLOCKED_MS)
    // One may have been on its way.
    expect(meanwhile.length).toBeLessThan(2)
    expect(received.messages[0]).toBe('READY=1')
  })

  it('reports for a watchdog that is for its process, and for no other', async () => {
    const script = 'WATCHDOG_PID=$$ exec "$@"'
    const own = await Received.open()
    await ServerProcess.startCommand(/API explorer/, {
      command: ['sh', '-c', script, 'sh', process.execPath, MAIN, '--port', '0'],
      env: { ...own.env, ...WATCHDOG },
    })
    await own.has('WATCHDOG=1')
    const other = await Received.open()
    const env = { ...other.env, WATCHDOG_USEC: '2000', WATCHDOG_PID: '1' }
    const server = await ServerProcess.start({ env })
    await other.has('READY=1')
    server.signal('SIGTERM')
    await other.has('STOPPING=1')
    expect(other.messages).toEqual(['READY=1', 'STOPPING=1'])
  })

  it('works without the program that reports, and says so once', async () => {
    const received = await Received.open()
    const env = { ...received.env, ...WATCHDOG, PATH: await folderWith() }
    const server = await ServerProcess.start({ env })
    await server.says(/systemd-notify failed/)
    expect((await send(server, 'GET /health/ready')).status).toBe(200)
    server.signal('SIGTERM')
    expect(await server.ended()).toEqual({ code: 0, signal: null })
    expect(warnings(server)).toBe(1)
    expect(server.stderr).toMatch(/"level":40.*ENOENT/)
  })

  it('works if that program fails each time, and says so once', async () => {
    const received = await Received.open()
    const PATH = await folderWith('#!/bin/sh\necho "$@" >> "${0%/*}/calls"\nexit 3\n')
    const calls = () => readFile(join(PATH, 'calls'), 'utf8').catch(() => '')
    const server = await ServerProcess.start({ env: { ...received.env, ...WATCHDOG, PATH } })
    await until(async () => (await calls()).split('WATCHDOG=1').length > 4, 'attempts')
    server.signal('SIGTERM')
    expect(await server.ended()).toEqual({ code: 0, signal: null })
    expect(warnings(server)).toBe(1)
  })

  it('does the same as a server for Philote only', async () => {
    const received = await Received.open()
    const env = { ...received.env, ...WATCHDOG }
    const server = await ServerProcess.startPhilote({ env: { ...env, SECRET: 'of these tests' } })
    await received.has('WATCHDOG=1')
    server.signal('SIGTERM')
    await received.has('STOPPING=1')
    expect(received.messages[0]).toBe('READY=1')
  })
})

describe('a server without systemd', () => {
  afterAll(killProcesses)

  it('runs no other program', async () => {
    const PATH = await folderWith('#!/bin/sh\necho called > "${0%/*}/calls"\n')
    const server = await ServerProcess.start({ env: { ...WATCHDOG, PATH } })
    server.signal('SIGTERM')
    expect(await server.ended()).toEqual({ code: 0, signal: null })
    await expect(readFile(join(PATH, 'calls'))).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
