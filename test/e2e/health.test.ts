import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { Backend, send, until, within } from '../helpers/http.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import type { Address } from '../helpers/http.ts'

const PATHS = ['/health', '/health/live', '/health/ready']

async function statuses(server: Address): Promise<Record<string, number>> {
  const found = PATHS.map(async (path) => [path, (await send(server, `GET ${path}`)).status])
  return Object.fromEntries(await Promise.all(found)) as Record<string, number>
}

afterAll(async () => {
  closeClients()
  await killProcesses()
})

describe('the health of a server', () => {
  it.each(PATHS)('is told by %s to everybody, and HEAD tells the status alone', async (path) => {
    const server = await startServer()
    const answer = await send(server, `GET ${path}`)
    expect(answer).toMatchObject({ status: 200, body: { status: 'ok' } })
    expect(answer.headers['cache-control']).toBe('no-store')
    const { status, text, headers } = await send(server, `HEAD ${path}`)
    expect({ status, text }).toEqual({ status: 200, text: '' })
    expect(headers['content-type']).toBe(answer.headers['content-type'])
    await server.close()
  })
})

it('is told over plain http, as /metrics is, where everything else needs https', async () => {
  const server = await startServer({ enforce_https: true })
  onTestFinished(() => server.close())
  expect(await statuses(server)).toEqual(Object.fromEntries(PATHS.map((path) => [path, 200])))
  expect((await send(server, 'GET /metrics')).status).toBe(200)
  expect((await new Backend(server).send('POST /info')).status).toBe(406)
})

describe('a server with a shutdown_delay that is told to stop', { timeout: 60_000 }, () => {
  it('is not ready any more, serves for that time, and then asks clients to come back', async () => {
    const server = await ServerProcess.start({ settings: { shutdown_delay: 4 } })
    const backend = new Backend(server)
    const listener = await Listener.open(server, await backend.connect('ann', ['room']))
    expect(await statuses(server)).toEqual({
      '/health': 200,
      '/health/live': 200,
      '/health/ready': 200,
    })
    const told = performance.now()
    server.signal('SIGTERM')
    const isReady = async () => (await send(server, 'HEAD /health/ready')).status === 200
    await until(async () => !(await isReady()), 'the server to leave')
    const { headers } = await send(server, 'GET /health/ready')
    expect(headers['x-channelstream-error']).toBe('STOPPING')
    expect(await statuses(server)).toMatchObject({ '/health': 200, '/health/live': 200 })
    const late = await Listener.open(server, await backend.connect('bob', ['room']))
    await backend.say('room', 'still here')
    for (const one of [listener, late]) await one.heard('still here')
    expect((await listener.closed).code).toBe(1012)
    expect(performance.now() - told).toBeGreaterThan(3_900)
    expect(await within(server.exited, 'the end', 10_000)).toEqual({ code: 0, signal: null })
  })

  it('ends at once when it is told twice', async () => {
    const server = await ServerProcess.start({ settings: { shutdown_delay: 600 } })
    server.signal('SIGTERM')
    const isLeaving = async () => (await send(server, 'GET /health/ready')).status === 503
    await until(isLeaving, 'the server to leave')
    server.signal('SIGTERM')
    expect(await within(server.exited, 'the end', 10_000)).toEqual({ code: 1, signal: null })
  })
})
