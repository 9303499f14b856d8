import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { paceReading } from '../../src/net/paced-reading.ts'
import { pause, until } from '../helpers/http.ts'
import type { AddressInfo, Server, Socket } from 'node:net'

const TURN_BYTES = 32_768
const PIECE_BYTES = 4096

describe('sockets that are read in turns', () => {
  let listener: Server
  const open: Socket[] = []
  afterEach(() => {
    for (const socket of open.splice(0)) socket.destroy()
    listener.close()
  })

  /** Returns pairs of a client's socket and the server's paced socket. */
  async function pairs(count: number): Promise<{ client: Socket; paced: Socket }[]> {
    const accepted: Socket[] = []
    listener = createServer((socket) => {
      paceReading(socket)
      paceReading(socket)
      accepted.push(socket)
    })
    listener.listen(0, '127.0.0.1')
    await once(listener, 'listening')
    const made: { client: Socket; paced: Socket }[] = []
    for (let n = 0; n < count; n++) {
      const client = connect((listener.address() as AddressInfo).port, '127.0.0.1')
      await until(() => accepted.length > n, 'a connection')
      const paced = accepted[n] as Socket
      open.push(client, paced)
      made.push({ client, paced })
    }
    return made
  }

  const bytesOf = (length: number, first: number): Buffer =>
    Buffer.from(Array.from({ length }, (_, n) => (first + n) % 251))

  it('get all that was sent, in order, and its end', async () => {
    const [pair] = await pairs(1)
    const sent = bytesOf(1_000_000, 0)
    const heard: Buffer[] = []
    pair?.paced.on('data', (piece: Buffer) => heard.push(piece))
    pair?.client.end(sent)
    if (pair) await once(pair.paced, 'end')
    expect(Buffer.concat(heard).equals(sent)).toBe(true)
    expect(Math.max(...heard.map(({ length }) => length))).toBeLessThanOrEqual(PIECE_BYTES)
  })

  it('get so much in each turn of the event loop, all together', async () => {
    const SOCKETS = 20
    const LENGTH = 200_000
    let inTurn = 0
    let most = 0
    let all = 0
    const made = await pairs(SOCKETS)
    for (const { paced, client } of made) {
      paced.on('data', (piece: Buffer) => {
        all += piece.length
        if (inTurn === 0)
          setImmediate(() => {
            most = Math.max(most, inTurn)
            inTurn = 0
          })
        inTurn += piece.length
      })
      client.write(bytesOf(LENGTH, 7))
    }
    await until(() => all === SOCKETS * LENGTH, 'everything')
    // The measurement may span two turns: the order of immediates may differ between them.
    expect(most).toBeLessThanOrEqual(2 * (TURN_BYTES + PIECE_BYTES))
  })

  it('stay paused for as long as their reader wants', async () => {
    const [pair] = await pairs(1)
    if (!pair) return
    const { client, paced } = pair
    let heard = 0
    paced.on('data', (piece: Buffer) => {
      heard += piece.length
      paced.pause()
    })
    client.write(bytesOf(500_000, 0))
    await until(() => heard > 0, 'a piece')
    await pause(50)
    expect(heard).toBeLessThanOrEqual(PIECE_BYTES)
    for (let n = 0; n < 200 && heard < 500_000; n++) {
      const before = heard
      paced.resume()
      await until(() => heard > before, 'the next piece')
    }
    expect(heard).toBe(500_000)
  })
})
