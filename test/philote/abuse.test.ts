import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { pause, until } from '../helpers/http.ts'
import { refuseCrashes } from '../helpers/process.ts'
import { Client, signToken } from './client.ts'
import { SECRET, startPhilote } from './start.ts'
import type { PhiloteTestServer } from './start.ts'

refuseCrashes()

let server: PhiloteTestServer
const open: Client[] = []
beforeAll(async () => (server = await startPhilote({ MAX_CONNECTIONS: '2000' })))
afterEach(() => {
  for (const { socket } of open.splice(0)) socket.terminate()
})
afterAll(() => server.close())

async function connect(
  name: string,
  read: string[],
  write: string[] = read,
  at = server,
): Promise<Client> {
  const token = signToken({ claims: { read, write } }, SECRET)
  const client = await Client.dial(name, `ws://127.0.0.1:${at.port}/?auth=${token}`)
  open.push(client)
  return client
}

describe('a Philote server stands up to', () => {
  it('frames of all kinds', async () => {
    const reader = await connect('reader', ['a'])
    const frame = fc.oneof(
      fc.json(),
      fc.string({ unit: 'binary' }),
      fc.uint8Array({ maxLength: 200 }),
    )
    await fc.assert(
      fc.asyncProperty(frame, async (data) => {
        const client = await connect('fuzz', ['b'])
        client.socket.send(data)
        client.socket.terminate()
      }),
      { numRuns: 60 },
    )
    await (await connect('writer', ['a'])).say('a', 'still there')
    expect(await reader.nextJson()).toMatchObject({ data: 'still there' })
  }, 90_000)

  it('what follows a bad frame: it is not heard', async () => {
    const reader = await connect('reader', ['a'])
    const writer = await connect('writer', ['a'])
    for (const text of ['{"channel":"a","data":"1"}', 'rubbish', '{"channel":"a","data":"2"}'])
      writer.socket.send(text)
    expect(await writer.closed()).toEqual({ code: 1007, reason: 'not a Philote message' })
    await (await connect('other', ['a'])).say('a', '3')
    expect((await reader.nextJson())['data']).toBe('1')
    expect((await reader.nextJson())['data']).toBe('3')
  })

  it('messages that are too large, and floods', async () => {
    const large = await connect('large', ['a'])
    large.socket.send(Buffer.alloc(16_777_217, 0x20))
    expect(await large.closed()).toMatchObject({ code: 1009 })
    const flood = await connect('flood', ['b'])
    for (let n = 0; n < 25_100; n++) flood.socket.send('{}')
    expect(await flood.closed(10_000)).toEqual({ code: 1008, reason: 'too many messages' })
  })

  it('a reader that does not read: it is closed, and nobody else waits', async () => {
    const slow = await connect('slow', ['a'])
    const reader = await connect('reader', ['a'], [])
    const writer = await connect('writer', [], ['a'])
    slow.socket.pause()
    const data = 'x'.repeat(1_000_000)
    let heard = 0
    for (let n = 0; n < 60; n++) {
      await writer.say('a', data)
      await reader.next()
      heard++
    }
    expect(heard).toBe(60)
    await until(() => server.app.philote.connections < 3, 'the slow reader to be gone')
    expect([reader.isOpen, writer.isOpen]).toEqual([true, true])
  }, 90_000)

  it('a thousand clients too many', async () => {
    const small = await startPhilote({ MAX_CONNECTIONS: '10' })
    const clients: Client[] = []
    for (let round = 0; round < 10; round++)
      clients.push(
        ...(await Promise.all(
          Array.from({ length: 101 }, (_, n) => connect(`c${round}-${n}`, ['a'], ['a'], small)),
        )),
      )
    await until(
      () => clients.filter(({ isOpen }) => isOpen).length === 10,
      'the others to be dropped',
    )
    for (const { ending } of clients) if (ending) expect(ending.code).toBe(1006)
    expect(small.app.philote.connections).toBe(10)
    clients.find(({ isOpen }) => isOpen)?.socket.close()
    await until(() => small.app.philote.connections === 9, 'room for one')
    expect((await connect('late', ['a'], ['a'], small)).isOpen).toBe(true)
    await small.close()
  }, 90_000)

  it('clients that write where they may not, and ask to be told', async () => {
    const token = signToken({ claims: {} }, SECRET)
    const client = await Client.dial(
      'asks',
      `ws://127.0.0.1:${server.port}/?auth=${token}&errors=1`,
    )
    open.push(client)
    client.socket.pause()
    for (let n = 0; n < 20_000; n++) client.socket.send('{"channel":"x","data":"y"}')
    client.socket.resume()
    expect(await client.nextJson()).toEqual({ error: 'not permitted', channel: 'x' })
    await pause(20)
    expect(client.isOpen).toBe(true)
  })
})
