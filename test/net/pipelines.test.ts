import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { PacedRequest, PacedResponse, isWaiting, limitPipelines } from '../../src/net/pipelines.ts'
import { pause, until } from '../helpers/http.ts'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/** More than fits into one read from the network. */
const MANY = 5000

const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`
const times = (count: number, text: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => text(index)).join('')

describe('requests that a client sends without waiting for answers', () => {
  let server: Server
  const clients: Socket[] = []
  afterEach(() => {
    for (const client of clients.splice(0)) client.destroy()
    server.closeAllConnections()
    server.close()
  })

  interface Exchange {
    readonly request: IncomingMessage
    readonly response: ServerResponse
  }

  /** The server sends no answers by itself. */
  async function start(onRequest: (exchange: Exchange) => void) {
    server = createServer(
      { IncomingMessage: PacedRequest, ServerResponse: PacedResponse },
      (request, response) => onRequest({ request, response }),
    )
    limitPipelines(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
    clients.push(client)
    const heard: Buffer[] = []
    client.on('data', (part) => heard.push(part))
    client.on('error', () => client.destroy())
    await once(client, 'connect')
    return { client, text: () => Buffer.concat(heard).toString('latin1') }
  }

  const echo = ({ request, response }: Exchange): void => {
    let body = ''
    request.on('data', (part: Buffer) => (body += part.toString()))
    request.on('end', () => response.end(`<${request.url}|${body}>`))
  }
  const answersIn = (text: string): string[] => [...text.matchAll(/<[^>]*>/g)].map(String)

  it('are all answered, in order', async () => {
    const { client, text } = await start((exchange) => setImmediate(() => echo(exchange)))
    client.write(times(MANY, (n) => get(`/${n}`)))
    await until(() => text().includes(`</${MANY - 1}|>`), 'the last answer')
    expect(answersIn(text())).toEqual(Array.from({ length: MANY }, (_, n) => `</${n}|>`))
  })

  it('keep their bodies, whatever they look like', async () => {
    const { client, text } = await start((exchange) => setImmediate(() => echo(exchange)))
    const bodies = Array.from(
      { length: 300 },
      (_, n) => `${'GET / HTTP/1.1\r\n\r\n'.repeat(n % 20)}${n}`,
    )
    const post = (body: string, n: number): string =>
      n % 2 === 0
        ? `POST /b HTTP/1.1\r\nhOst: x\r\nX-A: \xe4\r\nContent-Length: ${body.length}\r\n\r\n${body}`
        : `POST /b HTTP/1.1\r\nHost:x\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
    client.write(Buffer.from(bodies.map(post).join(''), 'latin1'))
    await until(() => text().includes('299>'), 'the last answer')
    expect(answersIn(text())).toEqual(bodies.map((body) => `</b|${body}>`))
  })

  it('keep their heads as they were, and come whole though they come in pieces', async () => {
    const heads: (readonly string[])[] = []
    const { client, text } = await start((exchange) => {
      heads.push(exchange.request.rawHeaders)
      setImmediate(() => echo(exchange))
    })
    const more = 'X-Twice: a\r\nx-twice: b\r\nX-Empty:\r\nX-Latin: \xe4\xf6\r\n'
    const all = Buffer.from(
      times(200, (n) => get(`/${n}?q=%20`, more)),
      'latin1',
    )
    for (let at = 0; at < all.length; at += 777) {
      client.write(all.subarray(at, at + 777))
      await pause(0)
    }
    await until(() => text().includes('</199?q=%20|>'), 'the last answer')
    expect(new Set(heads.map((head) => JSON.stringify(head))).size).toBe(1)
    expect(heads[0]).toEqual([
      'Host',
      'x',
      'X-Twice',
      'a',
      'x-twice',
      'b',
      'X-Empty',
      '',
      'X-Latin',
      '\xe4\xf6',
    ])
  })

  it('are made a few at a time, while those before them are unanswered', async () => {
    const open: Exchange[] = []
    const { client, text } = await start((exchange) => open.push(exchange))
    client.write(times(MANY, (n) => get(`/${n}`)))
    await until(() => open.length >= 32, 'requests')
    await pause(100)
    expect(open).toHaveLength(32)
    for (const exchange of open.splice(0).toReversed()) echo(exchange)
    await until(() => open.length > 0, 'more of them')
    await pause(50)
    expect(open).toHaveLength(32)
    expect(answersIn(text())).toHaveLength(32)
    expect(text().indexOf('</0|>')).toBeLessThan(text().indexOf('</31|>'))
  })

  it('of many sockets together are a few in each turn', async () => {
    const SOCKETS = 60
    let requests = 0
    let inTurn = 0
    let most = 0
    await start(() => {
      requests++
      if (inTurn++ > 0) return
      setImmediate(() => {
        most = Math.max(most, inTurn)
        inTurn = 0
      })
    })
    const { port } = server.address() as AddressInfo
    const sockets = Array.from({ length: SOCKETS }, () => connect(port, '127.0.0.1'))
    clients.push(...sockets)
    await Promise.all(sockets.map((socket) => once(socket, 'connect')))
    for (const socket of sockets) socket.write(times(100, () => get('/')))
    await until(() => requests >= 300, 'many of them')
    await pause(20)
    // The first request of each socket is not pipelined.
    expect(most).toBeLessThanOrEqual(256 + SOCKETS)
  })

  it('hear that their socket closed, each of them', async () => {
    const open: Exchange[] = []
    const { client } = await start((exchange) => open.push(exchange))
    client.write(times(100, () => get('/')))
    await until(() => open.length === 32, 'requests')
    const closed = Promise.all(open.map(({ response }) => once(response, 'close')))
    // The server does not read while it waits, so it notices the reset only when it answers.
    client.resetAndDestroy()
    await pause(20)
    for (const { response } of open) response.end('x')
    await closed
  })

  it('hear it also where none of them waits', async () => {
    const open: Exchange[] = []
    const { client } = await start((exchange) => open.push(exchange))
    client.write(times(5, () => get('/')))
    await until(() => open.length === 5, 'requests')
    const closed = Promise.all(open.map(({ response }) => once(response, 'close')))
    client.destroy()
    await closed
  })

  it('end with the one whose answer closes the socket', async () => {
    const { client, text } = await start(({ request, response }) => {
      if (request.url === '/40') response.setHeader('connection', 'close')
      setImmediate(() => response.end(`<${request.url}|>`))
    })
    client.write(times(100, (n) => get(`/${n}`)))
    await once(client, 'close')
    expect(answersIn(text())).toHaveLength(41)
  })

  it('have an upgrade behind them wait, which takes over the socket', async () => {
    const open: Exchange[] = []
    const { client, text } = await start((exchange) => open.push(exchange))
    server.on('upgrade', (request, socket, head: Buffer) => {
      if (isWaiting(request)) return
      setImmediate(() => {
        socket.write(`<upgraded|${head.toString()}>`)
        socket.on('data', (part: Buffer) => socket.write(`<${part.toString()}|>`))
      })
    })
    const upgrade = get('/ws', 'Connection: Upgrade\r\nUpgrade: websocket\r\n')
    client.write(`${get('/1')}${get('/2')}${upgrade}early`)
    await until(() => open.length === 2, 'the requests')
    await pause(20)
    expect(text()).toBe('')
    for (const exchange of open.toReversed()) echo(exchange)
    await until(() => text().includes('upgraded'), 'the upgrade')
    client.write('later')
    await until(() => text().includes('<later|>'), 'what is sent later')
    const [one, two, upgraded] = answersIn(text())
    expect([one, two]).toEqual(['</1|>', '</2|>'])
    expect(`${upgraded}${text()}`).toContain('early')
  })

  it('that are no HTTP are refused, where they stand', async () => {
    const { client, text } = await start((exchange) => setImmediate(() => echo(exchange)))
    client.write(`${times(50, (n) => get(`/${n}`))}nonsense\r\n\r\n`)
    await once(client, 'close')
    expect(answersIn(text()).slice(0, 32)).toHaveLength(32)
    expect(text()).toContain('HTTP/1.1 400 ')
  })
})
