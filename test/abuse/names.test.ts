import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Backend, send } from '../helpers/http.ts'
import { refuseCrashes } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import type { TestServer } from '../helpers/server.ts'

/**
 * Names that have a special meaning somewhere between server and browser: in JavaScript, HTTP, HTML, terminals,
 * Unicode.
 */
const ODD_NAMES = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'valueOf',
  '_schema',
  'length',
  '0',
  ' ',
  '\u0000',
  'a\r\nSet-Cookie: b=c\r\n\r\n',
  'line\u2028separator\u2029',
  '\u{1F600}',
  '\u202Eright to left',
  'c:room',
  'u:alice',
  '*',
  '{tag}',
  '../../etc/passwd',
  '%00%2e%2e%2f',
  "'; drop table users; --",
  '<img src=x onerror=alert(1)>',
  '${7*7}',
  'x'.repeat(256),
  '\u{1F600}'.repeat(256),
]

describe('odd names are plain strings', () => {
  refuseCrashes()
  let server: TestServer
  let backend: Backend

  beforeAll(async () => {
    server = await startServer({ gc_conns_after: 600 })
    backend = new Backend(server)
  })
  afterAll(async () => {
    closeClients()
    await server.close()
  })

  it.each(ODD_NAMES)('%j as a channel', async (name) => {
    const connId = await backend.connect('member', [name], {
      channel_configs: name === '__proto__' ? {} : { [name]: { store_history: true } },
    })
    const listener = await Listener.open(server, connId)
    await backend.say(name, 'hello')
    await listener.heard('hello')
    expect(listener.of('message')[0]?.channel).toBe(name)
    const { channels } = await backend.call<{ channels: Record<string, { name: string }> }>(
      'POST /info',
      { info: { channels: [name] } },
    )
    expect(Object.keys(channels)).toEqual([name])
    expect(Object.entries(channels)[0]?.[1]).toMatchObject({ name, users: ['member'] })
    await backend.call('POST /unsubscribe', { conn_id: connId, channels: [name] })
  })

  it.each(ODD_NAMES)('%j as a user', async (name) => {
    const room = `room of ${name.slice(0, 200)}`
    const connId = await backend.connect(name, [room], { user_state: { mood: name } })
    const listener = await Listener.open(server, connId)
    await backend.call('POST /message', [
      { user: name, pm_users: [name], message: { text: 'private' } },
      { user: name, channel: room, exclude_users: [name], message: { text: 'not for me' } },
      { user: name, channel: room, message: { text: 'public' } },
    ])
    await listener.heard('public')
    expect(listener.texts).toEqual(['private', 'public'])
    expect(listener.of('message')[0]?.user).toBe(name)
    const { users } = await backend.call<{ users: unknown }>('POST /info', {
      info: { channels: [room] },
    })
    expect(users).toEqual([{ user: name, state: { mood: name } }])
  })

  it.each(ODD_NAMES)('%j as a public key of a state', async (name) => {
    const user = [...`owner of ${name}`].slice(0, 200).join('')
    const isRefused = name === '__proto__' // as a key of a body; in a list it is a string
    await backend.connect(user, [], {
      state_public_keys: [name],
      user_state: { hidden: 1, ...(!isRefused && { [name]: 2 }) },
    })
    const answer = await backend.call<{ public_keys: unknown }>('POST /user_state', { user })
    expect(answer.public_keys).toEqual([name])
    const again = await backend.call<{ public_state: object }>('POST /connect', {
      username: user,
      state_public_keys: [name],
    })
    expect(Object.entries(again.public_state)).toEqual(isRefused ? [] : [[name, 2]])
    expect({}).not.toHaveProperty('polluted')
  })

  it('refuses half a surrogate pair in the name of a user or a channel, wherever it stands', async () => {
    for (const half of ['\ud800', 'a\udfffb', '\udc00\ud800']) {
      const message = { user: 'ann', channel: 'room', message: {} }
      for (const [line, json] of [
        ['POST /connect', { username: half }],
        ['POST /connect', { username: 'ann', channels: [half] }],
        ['POST /message', [{ ...message, channel: half }]],
        ['POST /message', [{ ...message, user: half }]],
        ['POST /message', [{ ...message, pm_users: [half] }]],
        ['POST /message', [{ ...message, exclude_users: [half] }]],
        ['POST /user_state', { user: half }],
      ] as const) {
        const { status, text } = await backend.send(line, { json })
        expect([status, text], `${line} ${JSON.stringify(json)}`).toEqual([
          422,
          expect.stringContaining('Not valid Unicode.') as string,
        ])
      }
    }
    const configured = await backend.send('POST /channel_config', { json: { '\ud800': {} } })
    expect(configured.status).toBe(422)
    await backend.connect('\ud83d\ude00', ['\ud83d\ude00'])
  })

  it('keeps names apart that would meet if they were joined', async () => {
    const pairs = [
      ['a:b', 'c'],
      ['a', 'b:c'],
      ['c:a', 'b'],
      ['u:a', 'c:b'],
    ] as const
    const listeners = await Promise.all(
      pairs.map(async ([user, channel]) =>
        Listener.open(server, await backend.connect(user, [channel])),
      ),
    )
    for (const [user, channel] of pairs) {
      await backend.say(channel, `in ${channel}`)
      const private_ = { user: 'b', pm_users: [user], message: { text: `to ${user}` } }
      await backend.call('POST /message', [private_])
    }
    for (const [at, [user, channel]] of pairs.entries()) {
      await listeners[at]?.heard(`to ${user}`)
      expect(listeners[at]?.texts).toEqual([`in ${channel}`, `to ${user}`])
    }
  })

  it('tells nothing of them in headers', async () => {
    const answer = await send(server, `GET /admin/${encodeURIComponent('a\r\nX-Injected: 1')}`)
    expect(answer.headers).not.toHaveProperty('x-injected')
  })
})
