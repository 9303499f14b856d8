/** Sockets that a supervisor keeps open while it restarts the server. `npm run test:sockets` restarts it 100 times. */
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { passedSockets } from '../../src/net/passed-sockets.ts'
import { Backend, pause, until, within } from '../helpers/http.ts'
import { freePort } from '../helpers/ports.ts'
import { MAIN, ServerProcess, killProcesses } from '../helpers/process.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import type { Address } from '../helpers/http.ts'

const SUPERVISOR = fileURLToPath(new URL('../helpers/supervisor.py', import.meta.url))
const RESTARTS = Number(process.env['RESTARTS'] ?? 8)
const POSTERS = 3
const SECRETS = { secret: 'not the default', admin_secret: 'nor this' }
/** Requests that are answered between two restarts. */
const ANSWERS = 10

afterAll(async () => {
  closeClients()
  await killProcesses()
})

interface Load {
  isOver: boolean
  answers: number
  /** Codes of errors. */
  readonly errors: string[]
}

const codeOf = (error: unknown): string => String((error as NodeJS.ErrnoException).code ?? error)

/** Posts one message after the other, each on a connection of its own, and again after an error. Returns what was answered. */
async function post(server: Address, load: Load, name: string): Promise<string[]> {
  const answered: string[] = []
  for (let number = 0; !load.isOver;) {
    const text = `${name}-${number}`
    const json = [{ user: name, channel: 'room', message: { text } }]
    const headers = { 'idempotency-key': text, connection: 'close' }
    const answer = await new Backend(server, SECRETS.secret)
      .send('POST /message', { json, headers })
      .catch((error: unknown) => void load.errors.push(codeOf(error)))
    if (!answer) continue
    expect([200, 503], answer.text).toContain(answer.status)
    if (answer.status !== 200) continue
    load.answers++
    number++
    answered.push(text)
  }
  return answered
}

/** Opens one WebSocket after the other. */
async function knock(server: Address, connId: string, load: Load): Promise<void> {
  while (!load.isOver) {
    try {
      const listener = await Listener.open(server, connId)
      await until(
        () => listener.frames.length > 0 || listener.ending !== undefined,
        'a frame',
        5000,
      )
      listener.destroy()
    } catch (error) {
      load.errors.push(codeOf(error))
    }
    await pause(5)
  }
}

async function supervised() {
  const supervisor = await ServerProcess.startCommand(/API explorer/, {
    command: ['python3', SUPERVISOR, process.execPath, MAIN],
    settings: {
      data_dir: 'data',
      port: await freePort(),
      philote_port: await freePort(),
      philote_secret: 'a long secret of Philote',
      ...SECRETS,
      resume_window: 60,
      gc_conns_after: 60,
      max_history_size: 100_000,
    },
    hasInput: true,
  })
  const [, http = 0, philote = 0] = /ports (\d+) (\d+)/.exec(supervisor.stdout) ?? []
  const at = (port: string | number): Address => ({ host: '127.0.0.1', port: Number(port) })
  return { supervisor, server: at(http), philote: at(philote) }
}

const starts = ({ stdout }: ServerProcess): number => stdout.split('API explorer').length - 1

it(
  `refuse nobody and lose nothing in ${RESTARTS} restarts`,
  { timeout: RESTARTS * 30_000 },
  async () => {
    const { supervisor, server, philote } = await supervised()
    const backend = new Backend(server, SECRETS.secret)
    await backend.call('POST /channel_config', {
      room: { store_history: true, history_size: 100_000 },
    })
    const knocking = await backend.connect('knocker', ['door'])
    const load: Load = { isOver: false, answers: 0, errors: [] }
    const names = Array.from({ length: POSTERS }, (_, index) => `poster-${index}`)
    const posting = names.map((name) => post(server, load, name))
    const others = [knock(server, knocking, load)]
    for (let restart = 0; restart < RESTARTS; restart++) {
      const [answers, before] = [load.answers, starts(supervisor)]
      await until(() => load.answers >= answers + ANSWERS, 'answers')
      supervisor.write('restart\n')
      await until(() => starts(supervisor) > before, 'the next start', 60_000)
    }
    const last = load.answers
    await until(() => load.answers > last, 'a last answer')
    load.isOver = true
    const answered = await Promise.all(posting)
    await Promise.all(others)
    // A connection that the server had accepted, but not read, may be reset when it ends. None may be refused.
    expect(load.errors.filter((code) => code === 'ECONNREFUSED')).toEqual([])
    expect(load.errors.length).toBeLessThan(load.answers / 10 + RESTARTS)

    const { channels } = await backend.call<{
      channels: Record<string, { history: { message: { text: string } }[] }>
    }>('POST /info', { info: { channels: ['room'], include_users: false } })
    const texts = channels['room']?.history.map(({ message }) => message.text) ?? []
    for (const [index, name] of names.entries())
      expect(texts.filter((text) => text.startsWith(`${name}-`))).toEqual(answered[index])

    const socket = await fetch(`http://127.0.0.1:${philote.port}/`)
    expect(socket.status).toBeLessThan(500)
    supervisor.endInput()
    expect(await within(supervisor.exited, 'the end', 60_000)).toMatchObject({ code: 0 })
    expect(supervisor.stdout).toMatch(new RegExp(`listens on http://127.0.0.1:${server.port}\\n`))
    expect(supervisor.stdout.match(/ended (\S+)/g)).toEqual(
      Array.from({ length: RESTARTS }, () => 'ended 0'),
    )
  },
)

describe('what a supervisor passes', () => {
  const of = (LISTEN_FDS?: string, LISTEN_FDNAMES?: string, LISTEN_PID = '7') =>
    passedSockets({ LISTEN_FDS, LISTEN_FDNAMES, LISTEN_PID }, 7)

  it('is known by number and name', () => {
    expect(of()).toEqual({})
    expect(of('1')).toEqual({ http: 3 })
    expect(of('1', 'channelstream.socket')).toEqual({ http: 3 })
    expect(of('1', 'philote')).toEqual({ philote: 3 })
    expect(of('2', 'philote:unknown')).toEqual({ http: 4, philote: 3 })
    expect(of('2', 'http:philote')).toEqual({ http: 3, philote: 4 })
  })

  it('is ignored if it is for another process, or nothing', () => {
    expect(of('1', 'http', '8')).toEqual({})
    expect(of('0')).toEqual({})
    expect(of('many')).toEqual({})
  })

  it('may not be more than the server can use', () => {
    expect(() => of('2')).toThrow('the supervisor passed 2 sockets')
    expect(() => of('2', 'philote:philote')).toThrow('FileDescriptorName=philote')
  })
})

describe('a server that is passed what it cannot use', () => {
  const started = (listen: string, settings: Record<string, string | number>) =>
    ServerProcess.run({
      command: ['python3', '-c', PASS, listen, process.execPath, MAIN],
      settings: { port: 0, ...settings },
    })
  /** Passes one socket on, and becomes the server. */
  const PASS = [
    'import os, socket, sys',
    'kind, *command = sys.argv[1:]',
    's = socket.socket(socket.AF_UNIX if "unix" in kind else socket.AF_INET)',
    's.bind("a-socket" if "unix" in kind else ("127.0.0.1", 0))',
    's.listen()',
    'os.dup2(s.fileno(), 3)',
    'name = "philote" if "philote" in kind else "http"',
    'os.environ.update(LISTEN_FDS="1", LISTEN_FDNAMES=name, LISTEN_PID=str(os.getpid()))',
    'os.execv(command[0], command)',
  ].join('\n')

  it.each([
    ['unix', 'the supervisor passed something that is not a listening socket of TCP'],
    ['philote by unix', 'the supervisor passed something that is not a listening socket of TCP'],
    ['philote', 'the supervisor passed a socket for Philote, which needs a philote_port'],
  ])('says so, and ends (%s)', async (kind, sentence) => {
    const philote = { philote_port: 1, philote_secret: 'a long secret of Philote' }
    const server = await started(kind, { ...SECRETS, ...(kind.includes('by unix') && philote) })
    expect(server.exit).toEqual({ code: 1, signal: null })
    expect(server.stderr).toContain(sentence)
  })

  it.each([
    ['tcp', {}, 'these are not set: secret, admin_secret; generate'],
    ['tcp', { secret: 'not the default' }, 'these are not set: admin_secret; generate'],
    [
      'tcp',
      { ...SECRETS, secret_fallbacks: 'secret' },
      'secret_fallbacks contains the default value of secret, which is public; generate',
    ],
    ['philote', { philote_port: 1 }, 'these are not set: philote_secret; generate'],
  ])('says so too if a secret is public (%s, %o)', async (kind, settings, sentence) => {
    const server = await started(kind, settings)
    expect(server.exit).toEqual({ code: 1, signal: null })
    expect(server.stderr).toContain(sentence)
  })
})
