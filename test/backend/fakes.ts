/** Fake servers that misbehave, and clients to test with them. */
import net from 'node:net'
import { onTestFinished } from 'vitest'
import { Channelstream, ChannelstreamError } from '../../src/backend/index.ts'
import type { AddressInfo, Socket } from 'node:net'
import type { ChannelstreamOptions } from '../../src/backend/index.ts'

export const SECRET = 'secret'

/** Makes a client that is closed when the test ends. */
export function aClient(url: string, options: Partial<ChannelstreamOptions> = {}): Channelstream {
  const client = new Channelstream({ url, secret: SECRET, ...options })
  onTestFinished(() => client.close())
  return client
}

/**
 * Resolves with the error of a call. Rejects if the call succeeds, or if the error is not a {@link ChannelstreamError}.
 */
export async function errorOf(call: Promise<unknown>): Promise<ChannelstreamError> {
  const outcome = await call.then(
    (answer) => new Error(`it was answered: ${JSON.stringify(answer)}`),
    (error: unknown) => error,
  )
  if (outcome instanceof ChannelstreamError) return outcome
  throw outcome
}

export interface Fake {
  readonly url: string
  /** All requests received, with head and body. */
  readonly requests: readonly string[]
  /** Number of connections opened so far. */
  connections: number
}

/** Answers a request by writing to its socket, or by anything else. `nth` counts requests from 1. */
export type Misbehaviour = (socket: Socket, request: string, nth: number) => void

/** Starts a server that reads complete requests and passes them to `answer`. */
export async function startFake(answer: Misbehaviour): Promise<Fake> {
  const requests: string[] = []
  const fake = { url: '', requests, connections: 0 }
  const server = await listen((socket) => {
    fake.connections++
    let received = ''
    socket.on('data', (data: Buffer) => {
      received += data.toString()
      const length = wholeLength(received)
      if (length === undefined) return
      const request = received.slice(0, length)
      received = received.slice(length)
      requests.push(request)
      answer(socket, request, requests.length)
    })
  })
  fake.url = `http://127.0.0.1:${server.port}`
  return fake
}

/** Listens on a free port of loopback. At the end of the test it destroys all sockets. */
export async function listen(onSocket: (socket: Socket) => void): Promise<{ port: number }> {
  const sockets = new Set<Socket>()
  const server = net.createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {}) // a close follows
    onSocket(socket)
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return { port: (server.address() as AddressInfo).port }
}

function wholeLength(received: string): number | undefined {
  const headEnd = received.indexOf('\r\n\r\n')
  if (headEnd < 0) return undefined
  const bodyLength = Number(/^content-length: (\d+)/im.exec(received)?.[1] ?? 0)
  const length = headEnd + 4 + bodyLength
  return received.length >= length ? length : undefined
}

/** Returns the text of an HTTP answer. */
export function reply(status: string, headers: Record<string, string>, body: string): string {
  const all = { 'content-length': String(Buffer.byteLength(body)), ...headers }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`)
  return [`HTTP/1.1 ${status}`, ...lines, '', body].join('\r\n')
}

export const json = (value: unknown, status = '200 OK'): string =>
  reply(status, { 'content-type': 'application/json' }, JSON.stringify(value))

export const headerOf = (request: string, name: string): string | undefined =>
  new RegExp(`^${name}: (.*)\r$`, 'im').exec(request)?.[1]
