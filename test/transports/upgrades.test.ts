import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import fastify from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FrameSocket } from '../../src/transports/frame-socket.ts'
import {
  acceptWebSockets,
  addWebSocketRoute,
  terminateWebSockets,
} from '../../src/transports/upgrades.ts'
import { until } from '../helpers/http.ts'
import { OPCODE, clientFrame, handshake } from '../helpers/websocket.ts'
import type { AddressInfo, Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'

class Recorder extends FrameSocket {
  readonly texts: string[] = []
  closeCode: number | undefined

  send(): void {}
  heartbeat(): void {}
  showedLife(): void {}
  drained(): void {}
  received(message: Buffer): void {
    this.texts.push(message.toString())
  }
  closed(code: number): void {
    this.closeCode = code
  }
}

const text = (payload: string): Buffer => clientFrame({ opcode: OPCODE.text, payload })

describe('a route for WebSockets', { timeout: 60_000 }, () => {
  let http: FastifyInstance
  let port: number
  let admit: () => void | Promise<void>
  let sinks: Recorder[]
  let sockets: Socket[]

  beforeEach(async () => {
    sinks = []
    sockets = []
    admit = () => {}
    http = fastify()
    http.setSerializerCompiler(() => JSON.stringify)
    await acceptWebSockets(http, { maxFrameBytes: 1_000_000, refusal: () => '' })
    const serve = (_: unknown, open: (sink: FrameSocket) => void): void => {
      const sink = new Recorder()
      sinks.push(sink)
      open(sink)
    }
    addWebSocketRoute(http, { url: '/slow', schema: { response: {} }, admit: () => admit(), serve })
    addWebSocketRoute(http, { url: '/fast', schema: { response: {} }, admit: () => {}, serve })
    await http.listen({ host: '127.0.0.1', port: 0 })
    port = (http.server.address() as AddressInfo).port
  })
  afterEach(async () => {
    for (const socket of sockets) socket.destroy()
    terminateWebSockets(http)
    await http.close()
  })

  async function client(...first: (string | Buffer)[]): Promise<Socket> {
    const socket = connect(port, '127.0.0.1')
    sockets.push(socket)
    socket.on('error', () => {}).resume()
    await once(socket, 'connect')
    socket.write(Buffer.concat(first.map((part) => Buffer.from(part))))
    return socket
  }

  it('loses no frame that comes while the upgrade is admitted, also when others send much', async () => {
    const flooded = new AbortController()
    const { signal } = flooded
    const flood = async (): Promise<void> => {
      const socket = await client(handshake('/fast'))
      const frames = Buffer.concat(Array.from({ length: 60 }, () => text('x'.repeat(1_000))))
      while (!signal.aborted)
        if (socket.write(frames)) await sleep(0)
        else await once(socket, 'drain', { signal })
    }
    const flooding = Promise.allSettled([flood(), flood(), flood()])
    await until(() => sinks.some(({ texts }) => texts.length > 100), 'a flood')

    let letIn!: () => void
    admit = () => new Promise((resolve) => (letIn = resolve))
    const early = await client(handshake('/slow'), text('0'))
    for (let frame = 1; frame < 20; frame++) {
      await sleep(5)
      early.write(text(String(frame)))
    }
    await sleep(50)
    const before = sinks.length
    letIn()
    await until(() => sinks.length > before, 'the upgrade')
    const sink = sinks.at(-1) as Recorder
    await until(() => sink.texts.length >= 20, 'all frames')
    expect(sink.texts).toEqual(Array.from({ length: 20 }, (_, frame) => String(frame)))
    flooded.abort()
    await flooding
  })

  it('notices that a client has gone while the upgrade is admitted', async () => {
    let letIn!: () => void
    let isAsked = false
    admit = () => {
      isAsked = true
      return new Promise((resolve) => (letIn = resolve))
    }
    const socket = await client(handshake('/slow'))
    await until(() => isAsked, 'the upgrade')
    const gone = once(socket, 'close')
    socket.resetAndDestroy()
    await gone
    await sleep(20)
    letIn()
    await sleep(20)
    expect(sinks.every(({ isOpen }) => !isOpen)).toBe(true)
  })
})
