import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from 'vitest'
import { CompactRequest } from '../../src/net/compact-request.ts'
import { until } from '../helpers/http.ts'
import type { Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

const BYTES = 40_000
const HEAD = 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n'
const body = Array.from({ length: BYTES }, (_, index) => String(index % 10)).join('')
const chunks = [...body].map((byte) => `1\r\n${byte}\r\n`).join('')

describe('a body that is not read for a while', () => {
  let server: Server
  let socket: Socket
  afterEach(() => {
    socket.destroy()
    server.close()
  })

  /** Sends a body byte by byte. Calls `read` with the request after some bytes have arrived. */
  async function ask(read: (request: CompactRequest) => Promise<string>): Promise<string> {
    server = createServer({ IncomingMessage: CompactRequest }, (request, response) => {
      void (async () => {
        await new Promise((resolve) => setTimeout(resolve, 50))
        response.setHeader('Connection', 'close')
        response.end(await read(request))
      })()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    socket.write(HEAD + chunks)
    socket.write('0\r\n\r\n')
    return (await text(socket)).split('\r\n\r\n')[1] ?? ''
  }

  it('comes whole and in order to whoever reads it then', async () => {
    expect(await ask(async (request) => String((await text(request)) === body))).toContain('true')
  })

  it('comes whole through pauses', async () => {
    const answer = await ask(async (request) => {
      let got = ''
      request.on('data', (piece: Buffer) => {
        got += piece.toString()
        request.pause()
        setImmediate(() => request.resume())
      })
      await until(() => request.readableEnded, 'its end')
      return String(got === body)
    })
    expect(answer).toContain('true')
  })

  it('is in few pieces', async () => {
    const answer = await ask(async (request) => {
      const pieces: number[] = []
      request.once('data', (piece: Buffer) => pieces.push(piece.length))
      await until(() => pieces.length > 0, 'a piece')
      return String((pieces[0] ?? 0) > 5_000)
    })
    expect(answer).toContain('true')
  })

  it('is thrown away by whoever resumes it', async () => {
    const answer = await ask(async (request) => {
      request.resume()
      await once(request, 'end')
      return 'true'
    })
    expect(answer).toContain('true')
  })
})
