/** Servers whose standard output or standard error cannot be written, or only later. */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { FAULTY, provoke } from '../helpers/faulty-checker.ts'
import { Backend, send, until, within } from '../helpers/http.ts'
import { freePort } from '../helpers/ports.ts'
import { MAIN, ServerProcess, killProcesses } from '../helpers/process.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import type { Address } from '../helpers/http.ts'

const PATIENCE_MS = 30_000
const directory = fs.mkdtempSync(join(tmpdir(), 'channelstream-test-'))
const mounts: string[] = []
const openPipes: Pipe[] = []

interface Server extends Address {
  readonly process: ServerProcess
}

/** Starts the server with streams that a shell redirects. */
async function startRedirected(redirection: string, level = 'info'): Promise<Server> {
  const port = await freePort()
  const script = `exec "$0" "$@" ${redirection}`
  const words = [MAIN, '--port', String(port), '--log_level', level]
  const server = { host: '127.0.0.1', port }
  const process = await ServerProcess.startCommand(/^/, {
    ...FAULTY,
    command: ['sh', '-c', script, globalThis.process.execPath, ...words],
  })
  await until(() => isHealthy(server), `${redirection}: the server to start`, PATIENCE_MS)
  return { ...server, process }
}

const isHealthy = (server: Address): Promise<boolean> =>
  send(server, 'GET /health').then(
    ({ status }) => status === 200,
    () => false,
  )

/** Sends a request, opens a socket and posts a message. */
async function expectToServe(server: Address): Promise<void> {
  expect(await isHealthy(server)).toBe(true)
  const backend = new Backend(server)
  const listener = await Listener.open(server, await backend.connect('ann', ['room']))
  await backend.say('room', 'served')
  await listener.heard('served', PATIENCE_MS)
  await listener.close()
}

/** Logs more than the queue and a pipe hold together. */
async function fillTheLog(server: Address): Promise<void> {
  for (let line = 0; line < 30; line++) await provoke(server, 'long line')
}

async function expectToStop({ process }: Server): Promise<void> {
  process.signal('SIGTERM')
  const exit = await within(process.exited, 'the server to stop', PATIENCE_MS)
  expect(exit).toEqual({ code: 0, signal: null })
}

async function droppedLines(server: Address): Promise<number> {
  const { text } = await send(server, 'GET /metrics')
  return Number(/^channelstream_log_dropped_total (\d+)$/m.exec(text)?.[1])
}

/** A named pipe that the test may read or not. */
class Pipe {
  readonly path: string
  text = ''
  #fd: number

  constructor(name: string) {
    this.path = join(directory, name)
    execFileSync('mkfifo', [this.path])
    this.#fd = this.#open()
    openPipes.push(this)
  }

  #open(): number {
    return fs.openSync(this.path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  }

  /** Reads what the pipe contains. */
  drain(): string {
    const part = Buffer.alloc(65_536)
    try {
      for (let length = 1; length > 0; this.text += part.toString('utf8', 0, length))
        length = fs.readSync(this.#fd, part)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    }
    return this.text
  }

  reopen(): void {
    this.#fd = this.#open()
  }

  close(): void {
    if (this.#fd >= 0) fs.closeSync(this.#fd)
    this.#fd = -1
  }
}

interface Line {
  readonly level: number
  readonly msg: string
  readonly dropped?: number
}

/** Fails for a line that is not JSON. The last line may be incomplete. */
const linesOf = (text: string): Line[] =>
  text
    .slice(0, text.lastIndexOf('\n') + 1)
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)

/** Counts the lines, and the lines reported as dropped. */
const counted = (lines: readonly Line[]) => ({
  failures: lines.filter(({ msg }) => msg === 'a request failed').length,
  dropped: lines.reduce((sum, { dropped = 0 }) => sum + dropped, 0),
})

/** Mounts a disk of 64 KiB. Returns undefined, and prints the reason, where mounting is not permitted. */
function mountDisk(): string | undefined {
  const path = fs.mkdtempSync(join(directory, 'disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', path], { stdio: 'pipe' })
  } catch (error) {
    console.log(`not tested on a real full disk: ${String(error)}`)
    return undefined
  }
  mounts.push(path)
  return path
}

const freeBytes = (path: string): number => {
  const { bavail, bsize } = fs.statfsSync(path)
  return bavail * bsize
}

afterAll(async () => {
  closeClients()
  await killProcesses()
  for (const pipe of openPipes) pipe.close()
  for (const path of mounts) execFileSync('umount', [path])
  fs.rmSync(directory, { recursive: true })
})

describe('a server goes on and stops in order', { timeout: 120_000 }, () => {
  it.each([
    ['a full disk as standard error', '2>/dev/full', 'info'],
    ['a full disk as standard error, at debug level', '2>/dev/full', 'debug'],
    ['a full disk as standard output', '>/dev/full', 'info'],
    ['a full disk as both', '>/dev/full 2>&1', 'info'],
    ['no standard output and no standard error', '>&- 2>&-', 'info'],
  ])('with %s', async (_what, redirection, level) => {
    const server = await startRedirected(redirection, level)
    await expectToServe(server)
    await fillTheLog(server)
    await expectToServe(server)
    await expectToStop(server)
  })

  it('with a disk that is full and then has room again: whole lines follow, and how many are missing', async ({
    skip,
  }) => {
    const disk = mountDisk()
    if (disk === undefined) return skip()
    const [log, filling] = [join(disk, 'log'), join(disk, 'filling')]
    fs.writeFileSync(filling, Buffer.alloc(freeBytes(disk) - 8192))
    const server = await startRedirected(`2>>${log}`)
    await fillTheLog(server)
    await expectToServe(server)
    const dropped = await droppedLines(server)
    expect(dropped).toBeGreaterThan(0)
    expect(freeBytes(disk)).toBe(0)

    fs.rmSync(filling)
    execFileSync('mount', ['-o', 'remount,size=8m', disk])
    const text = (): string => fs.readFileSync(log, 'utf8')
    await until(() => text().includes('dropped'), 'the notice', PATIENCE_MS)
    await provoke(server, 'long line')
    await expectToStop(server)
    expect(counted(linesOf(text()))).toEqual({ failures: 30 - dropped + 1, dropped })
  })

  it.each(['info', 'debug'])(
    'with a pipe that nobody reads (%s); read later, it has whole lines and tells how many are missing',
    async (level) => {
      const pipe = new Pipe(`unread-${level}`)
      const server = await startRedirected(`2>${pipe.path}`, level)
      await fillTheLog(server)
      await expectToServe(server)
      const dropped = await droppedLines(server)
      expect(dropped).toBeGreaterThan(0)

      await until(() => pipe.drain().includes('dropped'), 'the notice', PATIENCE_MS)
      await provoke(server, 'long line')
      const isWhole = (): boolean => counted(linesOf(pipe.drain())).failures === 30 - dropped + 1
      await until(isWhole, 'the lines that waited', PATIENCE_MS)
      expect(counted(linesOf(pipe.text)).dropped).toBe(dropped)
      await expectToStop(server)
    },
  )

  it('with a socket that nobody reads, as from systemd, and logs when it is read again', async () => {
    const server = await ServerProcess.start(FAULTY)
    server.pauseErrors()
    await fillTheLog(server)
    await expectToServe(server)
    const dropped = await droppedLines(server)
    expect(dropped).toBeGreaterThan(0)
    server.resumeErrors()
    await until(() => server.stderr.includes('dropped'), 'the notice', PATIENCE_MS)
    server.pauseErrors()
    await fillTheLog(server)
    server.signal('SIGTERM')
    // `exited` resolves only after the streams have been read to the end.
    server.resumeErrors()
    expect(await within(server.exited, 'the server to stop', PATIENCE_MS)).toEqual({
      code: 0,
      signal: null,
    })
    expect(counted(linesOf(server.stderr)).dropped).toBeGreaterThanOrEqual(dropped)
  })

  it('with a pipe that nobody reads until the end', async () => {
    const pipe = new Pipe('never-read')
    const server = await startRedirected(`>${pipe.path} 2>&1`)
    await fillTheLog(server)
    await expectToServe(server)
    await expectToStop(server)
  })

  it('with a pipe whose reader went away, and logs to the next one', async () => {
    const pipe = new Pipe('left')
    const server = await startRedirected(`2>${pipe.path}`)
    pipe.close()
    await fillTheLog(server)
    await expectToServe(server)
    expect(await droppedLines(server)).toBeGreaterThan(0)
    pipe.reopen()
    await until(() => pipe.drain().includes('dropped'), 'the notice', PATIENCE_MS)
    pipe.close()
    await provoke(server, 'long line')
    await expectToStop(server)
  })

  it('with a terminal that is stopped, and goes on with it', async () => {
    const port = await freePort()
    const server = { host: '127.0.0.1', port }
    const pidFile = join(directory, 'pid')
    const run = `echo $$ >${pidFile}; exec ${process.execPath} ${MAIN} --port ${port} >/dev/null`
    const terminal = await ServerProcess.startCommand(/Server listening/, {
      ...FAULTY,
      command: ['script', '-qfec', run, '/dev/null'],
      hasInput: true,
    })
    terminal.write(STOP_KEY)
    await fillTheLog(server)
    await expectToServe(server)
    expect(await droppedLines(server)).toBeGreaterThan(0)
    expect(terminal.output).not.toContain('dropped')

    terminal.write(GO_KEY)
    await terminal.says(/lines were dropped/)
    terminal.write(STOP_KEY)
    await provoke(server, 'long line')
    process.kill(Number(fs.readFileSync(pidFile, 'utf8')), 'SIGTERM')
    const exit = await within(terminal.exited, 'the server to stop', PATIENCE_MS)
    expect(exit).toEqual({ code: 0, signal: null })
  })
})

/** Ctrl-S and Ctrl-Q. */
const STOP_KEY = '\x13'
const GO_KEY = '\x11'

describe('the last lines', { timeout: 90_000 }, () => {
  it('of a server are written before it ends, to a file', async () => {
    const log = join(directory, 'last-lines')
    const server = await startRedirected(`2>${log}`)
    await Promise.all(Array.from({ length: 10 }, () => provoke(server, 'long line')))
    await expectToStop(server)
    expect(counted(linesOf(fs.readFileSync(log, 'utf8')))).toEqual({ failures: 10, dropped: 0 })
  })

  it('of a server are written before it ends, to a pipe that is read slowly', async () => {
    const pipe = new Pipe('slow')
    const server = await startRedirected(`2>${pipe.path}`)
    for (let line = 0; line < 5; line++) await provoke(server, 'long line')
    server.process.signal('SIGTERM')
    await until(() => (pipe.drain(), server.process.exit !== undefined), 'the end', PATIENCE_MS)
    pipe.drain()
    expect(counted(linesOf(pipe.text))).toEqual({ failures: 5, dropped: 0 })
    expect(server.process.exit).toEqual({ code: 0, signal: null })
  })
})

describe('Philote by itself', { timeout: 90_000 }, () => {
  it.each(['2>/dev/full', '>/dev/full 2>&1', '>&- 2>&-'])(
    'serves and stops with %s',
    async (to) => {
      const port = await freePort()
      const process = await ServerProcess.startCommand(/^/, {
        command: ['sh', '-c', `exec "$0" "$@" ${to}`, globalThis.process.execPath, MAIN, 'philote'],
        env: { PORT: String(port), SECRET: 'any', LOGLEVEL: 'debug' },
      })
      const server = { host: '127.0.0.1', port, process }
      const isUp = (): Promise<boolean> =>
        send(server, 'GET /api/info').then(
          () => true,
          () => false,
        )
      await until(isUp, 'the server to start', PATIENCE_MS)
      await expectToStop(server)
    },
  )
})

describe('a command', { timeout: 90_000 }, () => {
  it.each(['serve', 'philote'])(
    'that cannot start a server (%s) ends with 1, though it cannot say why',
    async (command) => {
      for (const to of ['2>/dev/full', '2>&-']) {
        const { exit, stdout } = await ServerProcess.run({
          command: ['sh', '-c', `exec "$0" "$@" ${to}`, process.execPath, MAIN, command, 'word'],
        })
        expect(exit).toEqual({ code: 1, signal: null })
        expect(stdout).toBe('')
      }
    },
  )

  it.each(['--version', '--help', 'make-config -o -'])(
    'that cannot print (%s) says why and ends with 1',
    async (words) => {
      const { exit, stderr } = await ServerProcess.run({
        command: [
          'sh',
          '-c',
          `exec "$0" "$@" >/dev/full`,
          process.execPath,
          MAIN,
          ...words.split(' '),
        ],
      })
      expect(exit).toEqual({ code: 1, signal: null })
      expect(stderr).toMatch(/^channelstream: standard output: ENOSPC[^\n]*\n$/)
    },
  )
})
