import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Backend, within } from '../helpers/http.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { handshake } from '../helpers/websocket.ts'
import type { Socket } from 'node:net'

const SOCKETS = 1_000
/** Opened before, so that what is made once for all sockets is there already. */
const EARLIER_SOCKETS = 200
const AT_A_TIME = 50
/**
 * A WebSocket that keeps its request and the reply of its route takes 6.8 kB. An event stream keeps Node's request and
 * response, to use the socket again.
 */
const MOST_BYTES = { ws: 5_000, sse: 8_000 }

const PROBE = new URL('../helpers/heap-probe.mjs', import.meta.url).href

const TRANSPORTS = [
  ['WebSockets', 'ws', (path: string) => handshake(path), '101'],
  ['event streams', 'sse', (path: string) => `GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`, '200'],
] as const

describe.each(TRANSPORTS)('%s on which nothing happens', { timeout: 120_000 }, (...transport) => {
  const [, name, request, status] = transport
  const most = MOST_BYTES[name]
  let server: ServerProcess
  let connIds: string[]
  const sockets: Socket[] = []

  beforeAll(async () => {
    server = await ServerProcess.start({
      nodeArgs: ['--expose-gc', `--import=${PROBE}`],
      hasChannel: true,
      settings: { heartbeat_interval: 600, gc_conns_after: 3600 },
    })
    const backend = new Backend(server)
    connIds = await inGroups(SOCKETS + EARLIER_SOCKETS, (n) => backend.connect(`user ${n}`))
  }, 120_000)
  afterAll(async () => {
    for (const socket of sockets) socket.destroy()
    await killProcesses()
  })

  async function inGroups<Result>(count: number, make: (n: number) => Promise<Result>) {
    const results: Result[] = []
    for (let from = 0; from < count; from += AT_A_TIME)
      results.push(
        ...(await Promise.all(Array.from({ length: AT_A_TIME }, (_, n) => make(from + n)))),
      )
    return results
  }

  async function open(connId: string): Promise<void> {
    const socket = connect(server.port, server.host)
    sockets.push(socket)
    await once(socket, 'connect')
    socket.write(request(`/${name}?conn_id=${connId}`))
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toContain(` ${status} `)
  }

  async function heapBytes(): Promise<number> {
    const answer = new Promise<number>((resolve) =>
      server.onMessage((message) => resolve((message as { bytes: number }).bytes)),
    )
    server.send({ heapProbe: 'bytes', id: 1 })
    return within(answer, 'the heap to be measured')
  }

  it(`hold less than ${most} bytes of the heap each`, async () => {
    await inGroups(EARLIER_SOCKETS, (n) => open(connIds[SOCKETS + n] ?? ''))
    const before = await heapBytes()
    await inGroups(SOCKETS, (n) => open(connIds[n] ?? ''))
    const each = ((await heapBytes()) - before) / SOCKETS
    expect(each).toBeLessThan(most)
  })
})
