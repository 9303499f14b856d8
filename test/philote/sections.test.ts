/** Settings by prefix for channels that Philote clients make, and channels that there may not be. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Backend } from '../helpers/http.ts'
import { freePort } from '../helpers/ports.ts'
import { startServer } from '../helpers/server.ts'
import { Client, signToken } from './client.ts'
import type { TestServer } from '../helpers/server.ts'

const SECRET = 'philote secret'

let server: TestServer
let port: number
let backend: Backend
const open: Client[] = []

beforeAll(async () => {
  port = await freePort()
  server = await startServer({
    philote_port: port,
    philote_secret: SECRET,
    channel_settings: '{"chat-*": {"store_history": true, "history_size": 3}}',
    allow_unlisted_channels: false,
  })
  backend = new Backend(server)
})
afterEach(() => {
  for (const { socket } of open.splice(0)) socket.terminate()
})
afterAll(() => server.close())

async function philote(name: string, channels: string[]): Promise<Client> {
  const token = signToken({ claims: { read: channels, write: channels } }, SECRET)
  const client = await Client.dial(name, `ws://127.0.0.1:${port}/?auth=${token}&errors=1`)
  open.push(client)
  return client
}

describe('a channel that a Philote client makes', () => {
  it('has the settings of its section', async () => {
    const reader = await philote('reader', ['chat-1'])
    const writer = await philote('writer', ['chat-1', 'chat-2'])
    await writer.say('chat-1', 'hello')
    await writer.say('chat-2', 'hello')
    expect((await reader.nextJson())['data']).toBe('hello')
    await writer.say('chat-1', 'again')
    await reader.nextJson()
    const { channels } = await backend.info()
    for (const name of ['chat-1', 'chat-2'])
      expect(channels[name]?.settings).toMatchObject({ store_history: true, history_size: 3 })
    expect(channels['chat-1']?.history).toHaveLength(2)
  })
})

describe('a channel that there may not be', () => {
  it('is not made by Philote clients, who cannot write to it or read it', async () => {
    const client = await philote('client', ['chta-1', 'chat-3'])
    const other = await philote('other', ['chta-1', 'chat-3'])
    await client.say('chta-1', 'lost')
    expect(await client.nextJson()).toEqual({ error: 'not permitted', channel: 'chta-1' })
    await client.say('chat-3', 'heard')
    expect(await other.nextJson()).toMatchObject({ channel: 'chat-3', data: 'heard' })
    expect(other.inbox).toEqual([])
    expect(Object.keys((await backend.info()).channels)).not.toContain('chta-1')
  })
})
