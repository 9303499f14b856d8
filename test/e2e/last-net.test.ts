/** Errors that no code of the server handles. */
import { afterAll, describe, expect, it } from 'vitest'
import { FAULTY, provoke } from '../helpers/faulty-checker.ts'
import { Backend, send, until, within } from '../helpers/http.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { Listener, RawClient, closeClients } from '../helpers/websocket.ts'
import type { StartOptions } from '../helpers/process.ts'

const PATIENCE_MS = 30_000

interface Entry {
  readonly level: number
  readonly msg: string
  readonly err?: { readonly message?: string; readonly stack?: string; readonly no?: string }
}

const start = (settings: StartOptions['settings'] = {}): Promise<ServerProcess> =>
  ServerProcess.start({ ...FAULTY, settings: { shutdown_grace: 1.5, ...settings } })

/** Resolves with the log entry that contains `part`. */
async function entry(server: ServerProcess, part: string): Promise<Entry> {
  const find = (): string | undefined =>
    server.stderr.split('\n').find((line) => line.includes(part) && line.endsWith('}'))
  await until(() => find() !== undefined, `${part} in the log`, PATIENCE_MS)
  return JSON.parse(find() ?? '') as Entry
}

async function faults(server: ServerProcess): Promise<number> {
  const { text } = await send(server, 'GET /metrics')
  return Number(/^channelstream_faults_total (\d+)$/m.exec(text)?.[1])
}

const ended = (server: ServerProcess) => within(server.exited, 'the server to end', PATIENCE_MS)

afterAll(async () => {
  closeClients()
  await killProcesses()
})

describe('a rejected promise that nothing handles', { timeout: 90_000 }, () => {
  it('is logged with its stack and counted, and the server serves on', async () => {
    const server = await start()
    const backend = new Backend(server)
    const listener = await Listener.open(server, await backend.connect('ann', ['room']))
    expect(await faults(server)).toBe(0)
    for (let count = 0; count < 3; count++) await provoke(server, 'rejection')
    const { level, err } = await entry(server, 'a promise was rejected')
    expect(level).toBe(50)
    expect(err?.message).toBe('rejected on demand')
    expect(err?.stack).toContain('faulty.mjs')
    expect(await faults(server)).toBe(3)
    await backend.say('room', 'still here')
    await listener.heard('still here')
    server.signal('SIGTERM')
    expect(await ended(server)).toEqual({ code: 0, signal: null })
  })

  it('is logged too if its reason is no error', async () => {
    const server = await start()
    await provoke(server, 'odd rejection')
    expect((await entry(server, 'a promise was rejected')).err).toEqual({ no: 'error' })
    expect(await faults(server)).toBe(1)
  })
})

describe('an exception that nothing catches', { timeout: 90_000 }, () => {
  it('is logged with its stack, and stops the server in order with 1', async () => {
    const server = await start()
    const backend = new Backend(server)
    const listener = await Listener.open(server, await backend.connect('ann', ['room']))
    const poll = send(server, `GET /listen?conn_id=${await backend.connect('bob')}`)
    await backend.call('POST /info')
    await provoke(server, 'exception')
    expect((await listener.closed).code).toBe(1012)
    expect(await poll).toMatchObject({ status: 200, body: [] })
    expect(await ended(server)).toEqual({ code: 1, signal: null })
    const { level, err } = await entry(server, 'an exception was not caught')
    expect(level).toBe(60)
    expect(err?.message).toBe('thrown on demand')
    expect(err?.stack).toContain('faulty.mjs')
  })

  it('stops it within the grace, whatever the clients do, and however many there are', async () => {
    const server = await start()
    const backend = new Backend(server)
    const deaf = await RawClient.openWebSocket(server, await backend.connect('ann'))
    const agentless = [1, 2, 3].map(() => provoke(server, 'exception').catch(() => {}))
    expect(await ended(server)).toEqual({ code: 1, signal: null })
    await Promise.all(agentless)
    expect(deaf.closeCode).toBe(1012)
  })

  it('during a stop makes the exit code 1, and a signal after it does not take that back', async () => {
    const server = await start({ shutdown_grace: 10 })
    const client = await RawClient.openWebSocket(server, await new Backend(server).connect('ann'))
    const poll = new Backend(server).connect('bob')
    await provoke(server, 'exception')
    await until(() => client.closeCode !== undefined, 'the close', PATIENCE_MS)
    await poll
    server.signal('SIGTERM')
    expect(await ended(server)).toEqual({ code: 1, signal: null })
  })
})

describe('a warning of Node.js', { timeout: 90_000 }, () => {
  it('is an entry of the log, and no fault', async () => {
    const server = await start()
    await provoke(server, 'warning')
    expect(await entry(server, 'a warning of Node.js')).toMatchObject({
      level: 40,
      err: { message: 'warned on demand' },
    })
    expect(await faults(server)).toBe(0)
    for (const line of server.stderr.trimEnd().split('\n'))
      expect(() => void JSON.parse(line)).not.toThrow()
  })

  it('is nowhere if warnings are turned off', async () => {
    const server = await ServerProcess.start({
      ...FAULTY,
      env: { ...FAULTY.env, NODE_NO_WARNINGS: '1' },
    })
    await provoke(server, 'warning')
    await provoke(server, 'rejection')
    await entry(server, 'a promise was rejected')
    expect(server.stderr).not.toContain('warned on demand')
  })
})

describe('Philote by itself', { timeout: 90_000 }, () => {
  const startPhilote = (fault: string): Promise<ServerProcess> =>
    ServerProcess.startPhilote({
      env: { SECRET: 'any', NODE_OPTIONS: '--import ./fault.mjs' },
      files: { 'fault.mjs': `process.once('SIGUSR2', () => { ${fault} })` },
      mayFault: true,
    })

  it('serves on after a rejected promise that nothing handles', async () => {
    const server = await startPhilote("void Promise.reject(new Error('on demand'))")
    server.signal('SIGUSR2')
    expect((await entry(server, 'a promise was rejected')).err?.message).toBe('on demand')
    server.signal('SIGTERM')
    expect(await ended(server)).toEqual({ code: 0, signal: null })
  })

  it('stops in order with 1 after an exception that nothing catches', async () => {
    const server = await startPhilote("throw new Error('on demand')")
    server.signal('SIGUSR2')
    expect(await ended(server)).toEqual({ code: 1, signal: null })
    expect((await entry(server, 'an exception was not caught')).err?.message).toBe('on demand')
  })
})

describe('the tests', () => {
  it('fail when a server has had a fault that they did not ask for', async () => {
    const server = await ServerProcess.start({ ...FAULTY, mayFault: false })
    await provoke(server, 'rejection')
    await entry(server, 'a promise was rejected')
    await expect(server.kill()).rejects.toThrow('a server had a fault')
  })
})
