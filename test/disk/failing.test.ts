/** A disk that fails with EIO: a library in front of the system's makes it so. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { INSTALL_TIMEOUT_MS, ensurePackages } from '../helpers/debian-packages.ts'
import { Backend, send, until } from '../helpers/http.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import { historyOf } from './load.ts'

const SOURCE = fileURLToPath(new URL('failing-disk.c', import.meta.url))

const directory = mkdtempSync(join(tmpdir(), 'channelstream-failing-'))
const library = join(directory, 'failing-disk.so')
const [writesFail, syncsFail] = [join(directory, 'writes-fail'), join(directory, 'syncs-fail')]

beforeAll(async () => {
  await ensurePackages('gcc', 'libc6-dev')
  execFileSync('gcc', [
    '-shared',
    '-fPIC',
    '-Wall',
    '-Wextra',
    '-O1',
    '-o',
    library,
    SOURCE,
    '-ldl',
  ])
}, INSTALL_TIMEOUT_MS)
afterAll(async () => {
  closeClients()
  await killProcesses()
  rmSync(directory, { recursive: true, force: true })
})

async function start(data: string) {
  const server = await ServerProcess.start({
    env: {
      LD_PRELOAD: library,
      FAILING_FILES: data,
      FAILING_WRITES: writesFail,
      FAILING_SYNCS: syncsFail,
    },
    settings: { data_dir: data, data_sync: 'commit', max_history_size: 1000 },
  })
  return { server, backend: new Backend(server) }
}

/** A server with a room and somebody who listens in it. */
async function startIn(data: string) {
  const { server, backend } = await start(data)
  const channel_configs = { room: { store_history: true, history_size: 1000 } }
  const ann = await backend.connect('ann', ['room'], { channel_configs })
  const listener = await Listener.open(server, ann)
  return { server, backend, listener }
}

const post = async (backend: Backend, text: string): Promise<number> => {
  const json = [{ user: 'backend', channel: 'room', message: { text } }]
  const headers = { 'idempotency-key': text }
  return (await backend.send('POST /message', { json, headers })).status
}

const textsOf = async (server: ServerProcess): Promise<unknown[]> =>
  (await historyOf(server, 'room')).map(({ message }) => message?.text)

const stopped = async (server: ServerProcess): Promise<void> => {
  server.signal('SIGTERM')
  await server.ended()
}

describe('a disk that does not take what is written', () => {
  it('makes changes be refused, and nothing else, until it does again', async () => {
    const data = join(directory, 'writes')
    const { server, backend, listener } = await startIn(data)
    expect(await post(backend, 'before')).toBe(200)
    writeFileSync(writesFail, '')
    expect(await post(backend, 'first')).toBe(503)
    expect(await post(backend, 'second')).toBe(503)
    await until(() => /EIO.*changes cannot be written to data_dir/.test(server.output), 'the log')
    expect((await backend.info()).channels['room']?.total_connections).toBe(1)
    expect((await send(server, 'GET /health/live')).status).toBe(200)
    expect(listener.ending).toBeUndefined()

    rmSync(writesFail)
    await until(async () => (await post(backend, 'second')) === 200, 'the disk to be used again')
    // It may have been made after all: with its key it can be repeated.
    expect(await post(backend, 'first')).toBe(200)
    await listener.heard('first')
    await listener.heard('second')
    const texts = await textsOf(server)
    expect([...texts].sort()).toEqual(['before', 'first', 'second'])
    expect(listener.texts).toEqual(texts)
    server.signal('SIGKILL')
    await server.ended()
    const again = await start(data)
    expect(await textsOf(again.server)).toEqual(texts)
    await stopped(again.server)
  })
})

describe('a disk that cannot be synced', () => {
  it('makes changes be refused until the server is restarted, and what was answered is there', async () => {
    const data = join(directory, 'syncs')
    const { server, backend, listener } = await startIn(data)
    expect(await post(backend, 'before')).toBe(200)
    writeFileSync(syncsFail, '')
    expect(await post(backend, 'refused')).toBe(503)
    rmSync(syncsFail)
    // Another sync might succeed although what the first one had is lost.
    expect(await post(backend, 'later')).toBe(503)
    expect(server.output).toMatch(/EIO.*restart/s)
    expect((await backend.info()).channels['room']?.total_connections).toBe(1)
    expect(listener.texts).toEqual(['before'])
    server.signal('SIGTERM')
    await server.ended()

    const again = await start(data)
    expect((await textsOf(again.server)).slice(0, 1)).toEqual(['before'])
    expect(await post(again.backend, 'refused')).toBe(200)
    expect(await textsOf(again.server)).toEqual(['before', 'refused'])
    await stopped(again.server)
  })
})
