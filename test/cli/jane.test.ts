import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { printable } from '../../src/cli/printable.ts'
import { run } from '../docs/running.ts'
import { until } from '../helpers/http.ts'
import { MAIN, ServerProcess, killProcesses } from '../helpers/process.ts'
import { Client, signToken } from '../philote/client.ts'
import type { AddressInfo } from 'node:net'

const SECRET = 'a secret of the tests'
const CHANNEL = 'lobby'
const SCRIPT = '/usr/bin/script'

let server: ServerProcess
beforeAll(async () => (server = await startServer()))
afterAll(killProcesses)
const janes: ServerProcess[] = []
afterEach(() => {
  for (const { output } of janes.splice(0)) expect(output).not.toContain(SECRET)
})

const startServer = (port = 0): Promise<ServerProcess> =>
  ServerProcess.startPhilote({ env: { SECRET, PORT: String(port) } })

const flagsFor = (port: number, ...more: string[]): string[] => [
  'jane',
  ...['-s', SECRET, '-p', `127.0.0.1:${port}`, '-c', CHANNEL],
  ...more,
]

/** Starts a jane. Resolves when it is connected; its standard input stays open. */
async function startJane(port = server.port, ...more: string[]): Promise<ServerProcess> {
  const args = flagsFor(port, ...more)
  const jane = await ServerProcess.startCommand(/connected to /, { args, hasInput: true })
  janes.push(jane)
  return jane
}

/** Runs jane to its end, with an empty input. */
async function runJane(...args: string[]) {
  const jane = await ServerProcess.run({ args: ['jane', ...args] })
  janes.push(jane)
  return jane
}

async function connectClient(read: string[], write: string[]): Promise<Client> {
  const token = signToken({ claims: { read, write } }, SECRET)
  const headers = { Authorization: `Bearer ${token}` }
  const client = await Client.dial('a client', `ws://127.0.0.1:${server.port}`, { headers })
  onTestFinished(() => client.socket.terminate())
  return client
}

describe('jane', () => {
  it('shows what others say with their issuer, and not what was typed', async () => {
    const [ann, bob] = [await startJane(), await startJane()]
    ann.write('hello bob\n')
    await bob.says(/^[\da-f]{8}: hello bob$/m)
    bob.write('hello ann\r\n')
    await ann.says(/^[\da-f]{8}: hello ann$/m)
    expect(ann.stdout).toMatch(/^[\da-f]{8}: hello ann\n$/)
    expect(bob.stdout).toMatch(/^[\da-f]{8}: hello bob\n$/)
  })

  it('sends what is piped in, in order, and ends with 0 once the server has it', async () => {
    const reader = await connectClient([CHANNEL], [])
    const jane = await startJane()
    const lines = Array.from({ length: 250 }, (_, n) => `line ${n}`)
    jane.write(lines.join('\n')) // the last line without a line feed
    jane.endInput()
    expect(await jane.ended()).toEqual({ code: 0, signal: null })
    const heard: unknown[] = []
    while (heard.length < lines.length) heard.push((await reader.nextJson())['data'])
    expect(heard).toEqual(lines)
  })

  it('reads a line as it is: U+2028, a carriage return in it, and characters cut by a read', async () => {
    const reader = await connectClient([CHANNEL], [])
    const jane = await startJane()
    jane.write('a\u2028b\rc ü频\n\n')
    expect(await reader.nextJson()).toMatchObject({ data: 'a\u2028b\rc ü频' })
    expect(await reader.nextJson()).not.toHaveProperty('data') // an empty line
  })

  it('comes back when the server was killed and is there again', async () => {
    const own = await startServer()
    const { port } = own
    const [ann, bob] = [await startJane(port), await startJane(port)]
    await own.kill()
    for (const jane of [ann, bob])
      await jane.says(/connection lost \(1006\); reconnecting in [\d.]+ s/)
    ann.write('said meanwhile\n') // waits
    const again = await startServer(port)
    for (const jane of [ann, bob]) await jane.says(/reconnected/)
    ann.write('still here\n')
    await bob.says(/: still here$/m)
    for (const jane of [ann, bob]) jane.endInput()
    expect(await ann.ended()).toMatchObject({ code: 0 })
    await again.kill()
  })

  it('says which lines may be lost, and ends with 1', async () => {
    // A server that opens the socket, reads, and never answers a ping.
    const deaf = await startDeafServer()
    const jane = await startJane(deaf.port)
    jane.write('one\ntwo\n')
    jane.endInput()
    await until(() => deaf.hasHeard(), 'the lines to arrive')
    deaf.drop()
    await jane.says(/lines that may not have arrived: [12]; reconnecting/)
    expect(await jane.ended()).toMatchObject({ code: 1 })
  })

  it.each([[[]], [['-info']]])(
    "ends at once with the server's text when the secret is wrong %j",
    async (more) => {
      const jane = await runJane('-s', 'wrong', '-p', `127.0.0.1:${server.port}`, ...more)
      expect(jane.exit).toEqual({ code: 1, signal: null })
      expect([jane.stdout, jane.stderr]).toEqual(['', 'jane: signature is invalid\n'])
    },
  )

  it('stops coming back when the token is refused meanwhile', async () => {
    const own = await startServer()
    const { port } = own
    const jane = await startJane(port)
    await own.kill()
    await jane.says(/reconnecting/)
    const other = await ServerProcess.startPhilote({ env: { SECRET: 'new', PORT: String(port) } })
    expect(await jane.ended()).toMatchObject({ code: 1 })
    expect(jane.stderr).toMatch(/\njane: signature is invalid\n$/)
    await other.kill()
  })

  it('fails when there is no server', async () => {
    const jane = await runJane('-s', SECRET, '-p', '127.0.0.1:1')
    expect(jane.exit.code).toBe(1)
    expect(jane.stderr).toMatch(/^jane: .*ECONNREFUSED.*\n$/)
  })

  it('takes a token that is there, names other channels, and tells what may not be said', async () => {
    const token = signToken({ claims: { read: [CHANNEL, 'other'] } }, SECRET)
    const jane = await startJane(server.port, '-t', token)
    const writer = await connectClient([], ['other'])
    await writer.say('other', 'news')
    await jane.says(/^[\da-f]{8} \[other\]: news$/m)
    jane.write('may I?\n')
    jane.endInput()
    expect(await jane.ended()).toMatchObject({ code: 1 })
    expect(jane.stderr).toContain('the server rejected a line: not permitted\n')
  })

  it('makes escapes of others harmless, and what breaks lines', async () => {
    const jane = await startJane()
    const writer = await connectClient([], [CHANNEL])
    await writer.say(CHANNEL, '\x1b[2J\x1b]0;title\x07 \u009b31m\u202e a\nfaked: b\r\x7f')
    await jane.says(/faked/)
    expect(jane.stdout).toMatch(
      /^[\da-f]{8}: \\u001b\[2J\\u001b\]0;title\\u0007 \\u009b31m\\u202e a\\nfaked: b\\r\\u007f\n$/,
    )
  })

  it('prints what the API tells', async () => {
    const jane = await runJane('-s', SECRET, '-p', `127.0.0.1:${server.port}`, '-info')
    expect(jane.exit.code).toBe(0)
    const info: unknown = JSON.parse(jane.stdout)
    expect(info).toMatchObject({ version: '0.3.1', tcp_port: String(server.port), pid: server.pid })
  })

  it('tells why a token without the claim does not get what the API tells', async () => {
    const token = signToken({ claims: {} }, SECRET)
    const jane = await runJane('-t', token, '-p', `127.0.0.1:${server.port}`, '-info')
    expect([jane.exit.code, jane.stdout]).toEqual([1, ''])
    expect(jane.stderr).toBe('jane: 400 Bad Request: websocket: version != 13\n')
  })

  it.each(['SIGINT', 'SIGTERM'] as const)('ends cleanly on %s', async (signal) => {
    const jane = await startJane()
    jane.signal(signal)
    expect(await jane.ended()).toEqual({ code: signal === 'SIGINT' ? 130 : 143, signal: null })
    expect(jane.stderr.split('\n')).toHaveLength(2) // only the note about the connection
  })

  it('ends without a word when nobody reads its output', async () => {
    const jane = await startJane()
    const writer = await connectClient([], [CHANNEL])
    jane.closeOutput()
    await writer.say(CHANNEL, 'anybody?')
    expect(await jane.ended()).toEqual({ code: 141, signal: null })
    expect(jane.stderr.split('\n')).toHaveLength(2)
  })

  it.each([
    [['-p', '127.0.0.1:6380'], 'the secret is empty'],
    [['-s', 'x', '-p', 'a b'], 'flag -p: expected HOST:PORT'],
    [['-s', 'x', '-p', '127.0.0.1:99999'], 'flag -p: expected HOST:PORT'],
    [['--nick', 'ann'], 'flag provided but not defined: -nick'],
    [['-c'], 'flag -c: needs an argument'],
    [['-s', 'x', '-secure=maybe'], 'flag -secure: expected one of'],
  ])('refuses %j', async (args, problem) => {
    const jane = await runJane(...args)
    expect([jane.exit.code, jane.stdout]).toEqual([2, ''])
    expect(jane.stderr).toContain(problem)
    expect(jane.stderr).toContain('-secure')
  })

  it('lists its flags', async () => {
    const jane = await runJane('--help')
    expect(jane.exit.code).toBe(0)
    expect(jane.stderr).toMatch(/-c CHANNEL.*-info.*-p HOST:PORT.*-s SECRET.*-secure.*-t TOKEN/s)
  })

  it('speaks TLS with -secure, and only with who can show a certificate', async () => {
    const { port, certificate } = await startTlsFront()
    const flags = ['-s', SECRET, '-secure', '-p', `127.0.0.1:${port}`]
    const untrusting = await runJane(...flags)
    expect(untrusting.exit.code).toBe(1)
    expect(untrusting.stderr).toMatch(/^jane: self-signed certificate\b.*\n$/)
    const env = { NODE_EXTRA_CA_CERTS: certificate }
    const args = ['jane', ...flags, '-info']
    const asking = await ServerProcess.run({ args, env })
    expect(JSON.parse(asking.stdout)).toMatchObject({ pid: server.pid })
    const chatting = await ServerProcess.run({ args: args.slice(0, -1), env })
    expect([chatting.exit.code, chatting.stderr]).toEqual([
      0,
      `connected to wss://127.0.0.1:${port}, channel test-channel\n`,
    ])
  })
})

describe.runIf(existsSync(SCRIPT))('jane on a terminal', () => {
  /** Starts jane in a new terminal. After it ends, the shell prints the exit code and the state of the terminal. */
  async function startOnTerminal(before = ''): Promise<ServerProcess> {
    const words = [process.execPath, MAIN, ...flagsFor(server.port)].map((word) => `'${word}'`)
    const line = `${before}${words.join(' ')}; echo "code $?"; stty -a | grep -o -e '-*icanon'`
    const jane = await ServerProcess.startCommand(/connected to /, {
      command: [SCRIPT, '-qec', line, '/dev/null'],
      env: { TERM: 'xterm' },
      hasInput: true,
    })
    janes.push(jane)
    return jane
  }

  it('keeps what is being typed when others speak, and leaves the terminal as it was on Ctrl-C', async () => {
    const jane = await startOnTerminal()
    const other = await connectClient([CHANNEL], [CHANNEL])
    jane.write('half a li')
    await jane.says(/half a li/)
    await other.say(CHANNEL, 'I interrupt')
    await jane.says(/: I interrupt\r\n.*> half a li/s)
    jane.write('ne\r')
    expect(await other.nextJson()).toMatchObject({ data: 'half a line' })
    jane.write('\x03')
    await jane.says(/code 130\r\nicanon/)
  })

  it('leaves no empty lines when what is typed takes several rows', async () => {
    const jane = await startOnTerminal('stty cols 20; ')
    const other = await connectClient([], [CHANNEL])
    jane.write('a line of fifty letters that needs three of twenty')
    await jane.says(/of twenty/)
    await other.say(CHANNEL, 'one')
    await jane.says(/: one\r\n.*of twenty/s)
    await other.say(CHANNEL, 'two')
    await jane.says(/: two\r\n.*of twenty/s)
    // The first line is written at the cursor. For the second, the editor moves up over the rows that it has drawn.
    const shown = jane.stdout.replaceAll('\x1b', '<ESC>')
    expect(shown).toContain(': one\r\n<ESC>[1G')
    expect(shown).toMatch(/: two\r\n\r\n\r\n(<ESC>\[1G)?<ESC>\[2A/)
  })

  it('ends with 0 on Ctrl-D', async () => {
    const jane = await startOnTerminal()
    jane.write('\x04')
    await jane.says(/code 0\r\nicanon/)
  })
})
if (!existsSync(SCRIPT))
  it.skip(`jane on a terminal: ${SCRIPT} (Debian: bsdutils) is not there, which makes terminals`)

describe('printable', () => {
  it.each([
    ['plain ü频 👩‍👩‍👧 text', 'plain ü频 👩‍👩‍👧 text'],
    ['\0\t\n', '\\u0000\\t\\n'],
    ['\u2028\u2066\ud800', '\\u2028\\u2066\\ud800'],
  ])('makes of %j %j', (text, shown) => expect(printable(text)).toBe(shown))
})

/** Starts a server that accepts one WebSocket and never answers. */
async function startDeafServer() {
  let bytes = 0
  let isOpen = false
  const sockets: { destroy(): void }[] = []
  const deaf = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {}) // the test destroys the socket
    socket.on('data', (part) => {
      if (isOpen) return void (bytes += part.length)
      isOpen = true
      const [, key = ''] = /sec-websocket-key: (\S+)/i.exec(part.toString()) ?? []
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
          `Sec-WebSocket-Accept: ${accept.digest('base64')}\r\n\r\n`,
      )
    })
  })
  await new Promise<void>((resolve) => void deaf.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void deaf.close())
  return {
    port: (deaf.address() as AddressInfo).port,
    hasHeard: () => bytes > 0,
    drop(): void {
      deaf.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** Starts a TLS proxy in front of the server, with a self-signed certificate. */
async function startTlsFront() {
  const folder = mkdtempSync(join(tmpdir(), 'channelstream-jane-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
    ...['-days', '2', '-subj', '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1'],
    ...['-keyout', key, '-out', certificate],
  ])
  const files = { key: readFileSync(key), cert: readFileSync(certificate) }
  const front = createTlsServer(files, (socket) => {
    const behind = connect(server.port, '127.0.0.1')
    socket.on('error', () => behind.destroy())
    behind.on('error', () => socket.destroy())
    socket.pipe(behind).pipe(socket)
  })
  await new Promise<void>((resolve) => void front.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void front.close())
  return { port: (front.address() as AddressInfo).port, certificate }
}
