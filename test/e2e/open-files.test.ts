import { execFileSync } from 'node:child_process'
import { afterAll, describe, expect, it } from 'vitest'
import { Backend, send, until } from '../helpers/http.ts'
import { MAIN, ServerProcess, killProcesses } from '../helpers/process.ts'
import { Listener, RawClient, closeClients } from '../helpers/websocket.ts'
import type { Address } from '../helpers/http.ts'
import type { StartOptions } from '../helpers/process.ts'

const SOCKETS = 200
const OWN = { secret: 'own', admin_secret: 'own too', allow_cors: 'http://example.com' }

/** Starts a server with a limit of open files. */
async function startLimited(
  files: number,
  settings: StartOptions['settings'] = {},
): Promise<ServerProcess> {
  const program = `ulimit -n ${files}; exec "$0" "$@"`
  return ServerProcess.startCommand(/API explorer .*\n/, {
    command: ['bash', '-c', program, process.execPath, MAIN, '--port', '0'],
    settings: { ...OWN, ...settings },
  })
}

interface Line {
  readonly level: number
  readonly msg: string
  readonly reason?: string
  readonly refused?: number
}

const linesOf = ({ stderr }: ServerProcess): Line[] =>
  stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line)

const refusalsOf = (server: ServerProcess): Line[] =>
  linesOf(server).filter(({ msg }) => msg.startsWith('sockets are refused'))

/** Reads a metric of a server with no free socket, through the socket of `keeper`. */
async function figure(keeper: RawClient, name: string): Promise<number> {
  const before = keeper.text.length
  keeper.write('GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n')
  const found = (): string | undefined =>
    new RegExp(`^channelstream_${name} (\\S+)$`, 'm').exec(keeper.text.slice(before))?.[1]
  await until(() => found() !== undefined, name)
  return Number(found())
}

const attack = (server: Address): Promise<RawClient[]> =>
  Promise.all(Array.from({ length: SOCKETS }, () => RawClient.connect(server)))

const isServed = async (server: Address): Promise<boolean> =>
  send(server, 'GET /health').then(
    ({ status }) => status === 200,
    () => false,
  )

afterAll(async () => {
  closeClients()
  await killProcesses()
})

describe.concurrent('a server with few file descriptors', { timeout: 90_000 }, () => {
  it('refuses sockets before it runs out, counts each, says why and what to do, and comes back', async () => {
    const server = await startLimited(64)
    const backend = new Backend(server, 'own')
    const listener = await Listener.open(server, await backend.connect('ann', ['room']))
    const keeper = await RawClient.connect(server)
    const most = await figure(keeper, 'max_sockets')
    expect(most).toBeGreaterThan(16)
    const flood = await attack(server)
    await until(
      () => flood.filter(({ isOver }) => !isOver).length === most - 2,
      'those that are too many to be closed',
    )
    const refused = await figure(keeper, 'refused_sockets_total\\{reason="open_files"\\}')
    expect(refused).toBe(SOCKETS - (most - 2))
    expect(await figure(keeper, 'out_of_files')).toBe(0)
    expect(await figure(keeper, 'faults_total')).toBe(0)
    expect(refusalsOf(server)).toEqual([
      expect.objectContaining({ level: 40, reason: 'open_files', refused: 1 }),
    ])
    expect(refusalsOf(server)[0]?.msg).toMatch(/limit of open files.*ulimit -n, LimitNOFILE/)

    for (const client of flood) client.destroy()
    await until(() => isServed(server), 'the server to come back')
    await backend.say('room', 'still there')
    await listener.heard('still there')

    server.signal('SIGTERM')
    await server.ended()
    const told = refusalsOf(server).reduce((sum, line) => sum + (line.refused ?? 0), 0)
    expect(told).toBeGreaterThanOrEqual(refused)
    expect(linesOf(server).filter(({ level }) => level >= 50)).toEqual([])
  })

  it('says at the start how many clients it has room for', async () => {
    const server = await startLimited(1024)
    expect(server.stdout).toMatch(
      /^ {2}note +the limit of open files is 1024, which leaves room for \d+ sockets.*raise it/m,
    )
  })

  it('says at the start that max_sockets is more than there is room for', async () => {
    const server = await startLimited(8192, { max_sockets: 10_000 })
    expect(server.stdout).toMatch(
      /^ {2}note +max_sockets is 10000, but the limit of open files is 8192.*raise it/m,
    )
  })

  it.each([
    [1024, 500],
    [8192, 0],
  ])('says nothing of a limit of %i files and max_sockets %i', async (files, max_sockets) => {
    const server = await startLimited(files, { max_sockets })
    expect(server.stdout).not.toContain('open files')
  })

  it('as a Philote server says so too, and refuses in the same way', async () => {
    const program = 'ulimit -n 64; exec "$0" "$@"'
    const server = await ServerProcess.startCommand(/listens on ws:.*\n.*note.*open files.*\n/, {
      command: ['bash', '-c', program, process.execPath, MAIN, 'philote'],
      env: { PORT: '0', SECRET: 'own' },
    })
    const flood = await attack(server)
    await until(() => refusalsOf(server).length > 0, 'the log')
    for (const client of flood) client.destroy()
    await until(async () => {
      const answer = await send(server, 'GET /').catch(() => undefined)
      return answer?.status === 200
    }, 'the server to come back')
  })

  it('of which the last is taken away says that nobody counts what the system closes', async () => {
    const server = await ServerProcess.start({ settings: OWN, mayFault: true })
    const keeper = await RawClient.connect(server)
    expect(await figure(keeper, 'out_of_files')).toBe(0)
    // Less than the server had room for at its start.
    execFileSync('prlimit', ['--pid', String(server.pid), '--nofile=64:20000'])
    const flood = await attack(server)
    await server.says(/no file descriptor is free.*ulimit -n, LimitNOFILE/)
    expect(await figure(keeper, 'out_of_files')).toBe(1)
    for (const client of flood) client.destroy()
    await server.says(/file descriptors are free again/)
    expect(await isServed(server)).toBe(true)
    expect(await figure(keeper, 'out_of_files')).toBe(0)
  })
})
