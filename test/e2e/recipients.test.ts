/** What `POST /message?recipients=1` says of each message: for whom it was, and which channels are unknown. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Backend, send } from '../helpers/http.ts'
import { freePort } from '../helpers/ports.ts'
import { startServer } from '../helpers/server.ts'
import { SITES } from '../helpers/sites.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import { Client, signToken } from '../philote/client.ts'
import type { Site } from '../helpers/sites.ts'

interface Counted {
  readonly recipients?: unknown
}

const recipients = (connections: number, users: number, ...unknown_channels: string[]) => ({
  connections,
  users,
  unknown_channels,
})

const KEYS = ['channel', 'user', 'pm_users', 'exclude_users', 'no_history']

describe.each(SITES)('the recipients of messages %s', (_where, start) => {
  let site: Site
  let backend: Backend
  beforeAll(async () => {
    site = await start({ gc_conns_after: 600 })
    backend = new Backend(site)
    // ann has a WebSocket at each server, bob polls now and then, cem has not come yet, and dan is elsewhere.
    const ann = [await backend.connect('ann', ['room']), await backend.connect('ann', ['room'])]
    for (const connId of ann) await Listener.open(site.next(), connId)
    const bob = await backend.connect('bob', ['room', 'other'])
    const poll = send(site.next(), `GET /listen?conn_id=${bob}`)
    await backend.say('other', 'to bob')
    await poll
    await backend.connect('cem', ['room'])
    await backend.connect('dan')
    return () => site.close()
  }, 60_000)
  afterAll(closeClients)

  async function countedOf(...messages: object[]): Promise<unknown[]> {
    const list = messages.map((message) => ({ user: 'x', ...message }))
    const answers = await backend.call<Counted[]>('POST /message?recipients=1', list)
    return answers.map((answer) => answer.recipients)
  }

  it.each([
    [
      'of a channel are all its members, with and without an open client',
      { channel: 'room' },
      recipients(4, 3),
    ],
    ['exclude users', { channel: 'room', exclude_users: ['ann', 'dan', 'ann'] }, recipients(2, 2)],
    [
      'of a private message in a channel are those who are in it',
      { channel: 'room', pm_users: ['ann', 'ann', 'dan', 'nobody'] },
      recipients(2, 1),
    ],
    [
      'of a private message are users who are somewhere',
      { pm_users: ['ann', 'dan', 'dan', 'nobody'], exclude_users: ['cem'] },
      recipients(3, 2),
    ],
    [
      'of a private message leave out those whom it excludes',
      { pm_users: ['ann', 'dan'], exclude_users: ['ann'] },
      recipients(1, 1),
    ],
    [
      'of an unknown channel are none, and it is named',
      { channel: 'rom' },
      recipients(0, 0, 'rom'),
    ],
    [
      'of several channels are those of each, and unknown ones are named once',
      { channels: ['rom', 'room', 'other', 'rom', 'othr'] },
      recipients(5, 4, 'rom', 'othr'),
    ],
  ])('%s', async (_what, message, expected) => {
    expect(await countedOf(message)).toEqual([expected])
  })

  it('are told for each message, in the order of the answer', async () => {
    expect(
      await countedOf(
        { channel: 'room', message: { text: 'x' }, icon: 'wave' },
        { exclude_users: ['without a target'] },
        { channel: 'typo' },
        { pm_users: ['dan'] },
      ),
    ).toEqual([recipients(4, 3), recipients(0, 0, 'typo'), recipients(1, 1)])
  })

  it('are in the answer only if that is asked for, which is the same otherwise', async () => {
    const uuid = crypto.randomUUID()
    const timestamp = '2030-01-01T00:00:00'
    for (const more of [{}, { icon: 'wave', recipients: 'own' }]) {
      const json = [{ user: 'x', channel: 'room', uuid, timestamp, ...more }]
      const plain = (await backend.send('POST /message', { json })).text
      expect(Object.keys((JSON.parse(plain) as object[])[0] ?? {}).sort()).toEqual(
        [...KEYS, 'uuid', 'timestamp', 'edited', ...Object.keys(more)].sort(),
      )
      const [asked] = await backend.call<Counted[]>('POST /message?recipients=1', json)
      expect(asked).toEqual({ ...(JSON.parse(plain) as object[])[0], recipients: recipients(4, 3) })
      for (const query of ['recipients=0', 'recipients=no', 'other=1'])
        expect((await backend.send(`POST /message?${query}`, { json })).text).toBe(plain)
    }
  })

  it('are the same if the request is repeated with its key', async () => {
    const sending = {
      json: [{ user: 'x', channel: 'room' }],
      headers: { 'idempotency-key': crypto.randomUUID() },
    }
    const first = await backend.send('POST /message?recipients=1', sending)
    const again = await backend.send('POST /message?recipients=1', sending)
    expect(again.text).toBe(first.text)
    expect(again.headers['idempotency-replayed']).toBe('true')
    expect(first.body).toMatchObject([{ recipients: recipients(4, 3) }])
  })

  it.each(['recipients=maybe', 'recipients=', 'recipients=1&recipients=1'])(
    'are refused if it is not clear what is asked for: %s',
    async (query) => {
      const json = [{ user: 'x', channel: 'room' }]
      const { status, body } = await backend.send(`POST /message?${query}`, { json })
      expect([status, body]).toEqual([422, { recipients: ['Not a valid boolean.'] }])
    },
  )
})

describe('Philote sockets', () => {
  afterAll(closeClients)

  it('hear a message, but are no connections of users, and do not count', async () => {
    const port = await freePort()
    const server = await startServer({ philote_port: port, philote_secret: 'philote secret' })
    const backend = new Backend(server)
    const token = signToken({ claims: { read: ['room'], write: [] } }, 'philote secret')
    const reader = await Client.dial('reader', `ws://127.0.0.1:${port}/?auth=${token}`)
    const post = async (channels: string[]) => {
      const json = [{ user: 'x', channels, message: { text: 'hello' } }]
      const [posted] = await backend.call<Counted[]>('POST /message?recipients=1', json)
      return posted?.recipients
    }
    expect(await post(['room', 'typo'])).toEqual(recipients(0, 0, 'typo'))
    await backend.connect('ann', ['room'])
    expect(await post(['room'])).toEqual(recipients(1, 1))
    expect((await reader.nextJson())['data']).toBe('{"text":"hello"}')
    expect((await reader.nextJson())['channel']).toBe('room')
    reader.socket.terminate()
    await server.close()
  })
})
