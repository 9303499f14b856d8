import { execFile } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { Agent, createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { Backend, send, signature, within } from '../helpers/http.ts'
import { Nginx } from '../helpers/nginx.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import type { ConfigInput } from '../../src/config/load.ts'
import type { Sending } from '../helpers/http.ts'

const directories: string[] = []
let path = ''

beforeEach(() => {
  const directory = mkdtempSync(join(tmpdir(), 'unix-socket-'))
  directories.push(directory)
  path = join(directory, 'http.sock')
})
afterAll(async () => {
  closeClients()
  await killProcesses()
  for (const directory of directories) rmSync(directory, { recursive: true })
})

/** What a client names where there is no address. */
const ANY = { host: 'channelstream.test', port: 80 }

/** Sends one request over the socket. */
const ask = (line: string, sending: Sending = {}) =>
  send(ANY, line, { ...sending, agent: new Agent({ socketPath: path } as object) })

/** Sends one signed request over the socket. */
const call = async <Body>(line: string, json: unknown, headers = {}): Promise<Body> => {
  const answer = await ask(line, { json, headers: { ...signature(), ...headers } })
  expect([answer.status, answer.text.slice(0, 100)]).toEqual([200, expect.anything()])
  return answer.body as Body
}

const connect = async (username: string, headers = {}): Promise<string> =>
  (await call<{ conn_id: string }>('POST /connect', { username, channels: ['room'] }, headers))
    .conn_id

interface Shaken {
  readonly status: number
  readonly frames: string[]
  readonly socket: WebSocket
}

/** Opens a WebSocket over the socket. Resolves with the status of the handshake. */
function shakeHands(connId: string, headers: Record<string, string> = {}): Promise<Shaken> {
  const socket = new WebSocket(`ws+unix:${path}:/ws?conn_id=${connId}`, { headers })
  const frames: string[] = []
  socket.on('message', (data: Buffer) => void frames.push(data.toString()))
  socket.on('error', () => {})
  return new Promise((resolve) => {
    socket.once('open', () => resolve({ status: 101, frames, socket }))
    socket.once('unexpected-response', (_request, { statusCode = 0 }) => {
      resolve({ status: statusCode, frames, socket })
    })
  })
}

async function withServer(settings: ConfigInput, use: () => Promise<void>): Promise<void> {
  const server = await startServer({ host: `unix:${path}`, ...settings })
  await use().finally(() => server.close())
}

describe('a server on a Unix domain socket', () => {
  it('answers requests and WebSockets, for its user and group by default, and removes it', async () => {
    await withServer({}, async () => {
      const stat = statSync(path)
      expect([stat.isSocket(), stat.mode & 0o777]).toEqual([true, 0o660])
      const { status, socket, frames } = await shakeHands(await connect('ann'))
      expect(status).toBe(101)
      const message = once(socket, 'message')
      await call('POST /message', [{ user: 'bob', channel: 'room', message: { text: 'hello' } }])
      await within(message, 'the message')
      expect(frames.join()).toContain('hello')
      const poll = await connect('eve')
      const polled = ask(`GET /listen?conn_id=${poll}`)
      await call('POST /message', [{ user: 'bob', channel: 'room', message: { text: 'again' } }])
      expect((await polled).text).toContain('again')
      const closed = once(socket, 'close')
      socket.close()
      await within(closed, 'the close')
    })
    expect(existsSync(path)).toBe(false)
  })

  it('has the mode of unix_socket_mode', () =>
    withServer({ unix_socket_mode: '600' }, async () => {
      expect(statSync(path).mode & 0o777).toBe(0o600)
      expect((await ask('GET /health')).status).toBe(200)
    }))

  it('takes the address, the scheme and the path from a proxy there', () =>
    withServer({ enforce_https: true, allow_posting_from: ['203.0.113.9'] }, async () => {
      const post = (headers: Record<string, string>) =>
        ask('POST /push/info', {
          headers: { ...signature(), 'x-script-name': '/push', ...headers },
        }).then(({ status }) => status)
      const proto = { 'x-forwarded-proto': 'https' }
      expect(await post({ ...proto, 'x-forwarded-for': '203.0.113.9' })).toBe(200)
      expect(await post({ ...proto, 'x-forwarded-for': '127.0.0.1, 203.0.113.9:5678' })).toBe(200)
      expect(await post({ ...proto, 'x-forwarded-for': '203.0.113.9, 203.0.113.8' })).toBe(403)
      expect(await post({ ...proto, 'x-forwarded-for': 'nobody' })).toBe(403)
      expect(await post({ 'x-forwarded-for': '203.0.113.9' })).toBe(406)
    }))

  it('goes on to the left of further proxies, if they are trusted', () =>
    withServer(
      { trusted_proxies: ['10.0.0.0/8'], allow_posting_from: ['203.0.113.9'] },
      async () => {
        const headers = { ...signature(), 'x-forwarded-for': '203.0.113.9, 10.0.0.2' }
        expect((await ask('POST /info', { headers })).status).toBe(200)
      },
    ))

  it('takes who forwards nothing for a program on this machine', () =>
    withServer({}, async () => {
      expect((await ask('GET /metrics')).status).toBe(200)
      const proxied = { headers: { via: '1.1 proxy' } }
      expect((await ask('GET /metrics', proxied)).status).toBe(403)
      const stranger = { headers: { 'x-forwarded-for': '203.0.113.9' } }
      expect((await ask('GET /metrics', stranger)).status).toBe(403)
    }))

  it('limits the sockets of each forwarded address', () =>
    withServer({ max_sockets_per_address: 1 }, async () => {
      const ids = [await connect('ann'), await connect('bob'), await connect('cem')]
      const from = (address: string) => ({ 'x-forwarded-for': address })
      const first = await shakeHands(ids[0] ?? '', from('203.0.113.9:1000'))
      const second = await shakeHands(ids[1] ?? '', from('203.0.113.9:1001'))
      const third = await shakeHands(ids[2] ?? '', from('203.0.113.8'))
      expect([first.status, second.status, third.status]).toEqual([101, 429, 101])
      for (const { socket } of [first, third]) socket.terminate()
    }))
})

describe('the place of the socket', () => {
  it('is taken over from a server that was killed', async () => {
    const settings = { host: `unix:${path}` }
    const killed = await ServerProcess.start({ settings })
    killed.signal('SIGKILL')
    await killed.ended()
    expect(existsSync(path)).toBe(true)
    const next = await ServerProcess.start({ settings })
    expect(next.stdout).toContain(`listens on unix:${path}\n`)
    expect((await ask('GET /health')).status).toBe(200)
    const health = new URL('../../deploy/health.mjs', import.meta.url).pathname
    const env = { ...process.env, CHANNELSTREAM_HOST: `unix:${path}` }
    const { stdout } = await promisify(execFile)(process.execPath, [health], { env })
    expect(stdout).toBe('status 200\n')
    next.signal('SIGTERM')
    expect(await next.ended()).toEqual({ code: 0, signal: null })
    expect(existsSync(path)).toBe(false)
  })

  it('is left to another process that listens', async () => {
    const other = createServer((_request, response) => response.end('mine')).listen(path)
    await once(other, 'listening')
    await expect(startServer({ host: `unix:${path}` })).rejects.toThrow(
      `cannot listen on unix:${path}: another process listens there`,
    )
    expect((await ask('GET /')).text).toBe('mine')
    other.close()
    await once(other, 'close')
  })

  it('is left to a file', async () => {
    writeFileSync(path, 'precious')
    await expect(startServer({ host: `unix:${path}` })).rejects.toThrow('is no socket')
    expect(statSync(path).size).toBe('precious'.length)
  })

  it('has to be in a directory', async () => {
    const settings = { host: `unix:${path}/http.sock`, port: 0 }
    const { exit, stderr } = await ServerProcess.run({ settings })
    expect(exit).toEqual({ code: 1, signal: null })
    expect(stderr).toContain(`channelstream: cannot listen on unix:${path}/http.sock: `)
    expect(stderr).not.toContain('--port')
  })
})

it('nginx passes its clients on to the socket', { timeout: 300_000 }, async () => {
  // Debian's nginx may run its workers as another user.
  const settings = { host: `unix:${path}`, unix_socket_mode: '666' }
  const server = await startServer(settings)
  chmodSync(dirname(path), 0o755)
  const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')
  const example = /```nginx\n(upstream [^`]*unix:[^`]*)```/.exec(page)?.[1] ?? ''
  expect(example).toContain('server unix:/run/channelstream/http.sock;')
  const nginx = await Nginx.start((port) =>
    example
      .replace('/run/channelstream/http.sock', path)
      .replace('listen 80;', `listen 127.0.0.1:${port};`),
  )
  try {
    const backend = new Backend(nginx)
    const listener = await Listener.open(nginx, await backend.connect('ann', ['room']))
    await backend.say('room', 'hello')
    await listener.heard('hello')
    await listener.close()
    // nginx adds the address of its client, to which the metrics are not shown.
    const headers = { 'x-forwarded-for': '127.0.0.1' }
    const agent = new Agent({ localAddress: '127.0.0.2' })
    expect((await send(nginx, 'GET /metrics', { headers, agent })).status).toBe(403)
  } finally {
    await nginx.stop()
    await server.close()
  }
})
