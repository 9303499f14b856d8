import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Backend, send, until } from '../helpers/http.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { PROBED, TurnProbe } from '../helpers/turn-probe.ts'
import { Listener, closeClients, handshake } from '../helpers/websocket.ts'
import { expectRefusal } from './refusal.ts'
import type { Socket } from 'node:net'
import type { ChannelsInfo } from '../../src/protocol/responses.ts'

const CONN_ID = '00000000-0000-4000-8000-000000000001'
/** Slightly less than the maximum length of a body. */
const BODY_LENGTH = 1_040_000
/** The maximum length of an answer that only reports errors. */
const MAX_REFUSAL_LENGTH = 150_000

const times = <Item>(count: number, item: (index: number) => Item): Item[] =>
  Array.from({ length: count }, (_, index) => item(index))

/** Fills a body with as many of these parts, separated by commas, as fit into it. */
function filled(part: (index: number) => string, start = '', end = ''): string {
  const parts: string[] = []
  let length = start.length + end.length
  for (;;) {
    const next = part(parts.length)
    length += next.length + 1
    if (length > BODY_LENGTH) return start + parts.join() + end
    parts.push(next)
  }
}
const members = (value: string) => (index: number) => `"k${index}":${value}`
const name = (index: number) => `"c${index}"`

const NO_DETAILS = { info: { include_users: false, include_history: false } }

const OPENINGS = {
  ws: (connId: string) => handshake(`/ws?conn_id=${connId}`),
  sse: (connId: string) => `GET /sse?conn_id=${connId} HTTP/1.1\r\nHost: test\r\n\r\n`,
}

/** Opens a WebSocket or an event stream, and discards everything that arrives. */
async function openDeaf(
  { host, port }: ServerProcess,
  connId: string,
  transport: keyof typeof OPENINGS = 'ws',
): Promise<Socket> {
  const socket = connect(port, host)
  socket.on('error', () => socket.destroy())
  socket.write(OPENINGS[transport](connId))
  const [head] = (await once(socket, 'data')) as [Buffer]
  expect(head.toString()).toContain(transport === 'ws' ? ' 101 ' : ' 200 ')
  return socket.resume()
}

/** `field`: the key in the refusal. */
type Case = readonly [what: string, line: string, body: string, status: number, field?: string]

/** Keeps the body out of test names. */
const named = (cases: readonly Case[]) => cases.map((each) => [each[0], each] as const)

describe('no request holds the event loop', { timeout: 120_000 }, () => {
  let server: ServerProcess
  let probe: TurnProbe
  let backend: Backend

  beforeAll(async () => {
    server = await ServerProcess.start({ ...PROBED, settings: { gc_conns_after: 3600 } })
    probe = new TurnProbe(server)
    backend = new Backend(server)
    await backend.connect('ann', ['room'], {
      conn_id: CONN_ID,
      channel_configs: { room: { store_history: true, notify_state: true } },
    })
  })
  afterAll(killProcesses)

  async function expectShort(
    [what, line, body, status, field]: Case,
    ask: (line: string, body: string) => ReturnType<typeof send>,
  ): Promise<void> {
    await probe.expectShortTurns(what, async () => {
      const answer = await ask(line, body)
      expect(answer.status, `${what}: ${answer.text.slice(0, 300)}`).toBe(status)
      if (field === undefined) return
      expectRefusal(answer, status, field)
      expect(answer.text.length).toBeLessThan(MAX_REFUSAL_LENGTH)
    })
  }

  const signed: readonly Case[] = [
    // Limits on the amount.
    [
      'more messages than allowed',
      'POST /message',
      filled(() => '{"user":"a"}', '[', ']'),
      422,
      '_schema',
    ],
    ['lists for messages', 'POST /message', filled(() => '[]', '[', ']'), 422, '_schema'],
    [
      'keys of a message',
      'POST /message',
      filled(members('1'), '[{"user":"a","channel":"room",', '}]'),
      422,
      '0',
    ],
    [
      'keys of an edit',
      'PATCH /message',
      filled(members('1'), `[{"uuid":"${CONN_ID}",`, '}]'),
      422,
      '0',
    ],
    [
      'keys of a delete',
      'DELETE /message',
      filled(members('1'), `[{"uuid":"${CONN_ID}",`, '}]'),
      422,
      '0',
    ],
    [
      'users of a message',
      'POST /message',
      filled(name, '[{"user":"a","pm_users":[', ']}]'),
      422,
      '0',
    ],
    [
      'users that do not get a message',
      'POST /message',
      filled(name, '[{"user":"a","channel":"room","exclude_users":[', ']}]'),
      422,
      '0',
    ],
    [
      'channels to connect to',
      'POST /connect',
      filled(name, '{"username":"a","channels":[', ']}'),
      422,
      'channels',
    ],
    [
      'the same channel',
      'POST /connect',
      filled(() => '"a"', '{"username":"a","channels":[', ']}'),
      422,
      'channels',
    ],
    [
      'channels to join',
      'POST /subscribe',
      filled(name, `{"conn_id":"${CONN_ID}","channels":[`, ']}'),
      422,
      'channels',
    ],
    [
      'channels to leave',
      'POST /unsubscribe',
      filled(name, `{"conn_id":"${CONN_ID}","channels":[`, ']}'),
      422,
      'channels',
    ],
    [
      'channels to describe',
      'POST /info',
      filled(name, '{"info":{"channels":[', ']}}'),
      422,
      'info',
    ],
    ['channels in the older form', 'POST /info', filled(name, '{"channels":[', ']}'), 422, 'info'],
    [
      'channels to leave out',
      'POST /info',
      filled(name, '{"info":{"exclude_channels":[', ']}}'),
      422,
      'info',
    ],
    [
      'channels to count',
      'POST /info',
      filled(name, '{"counts":true,"channels":[', ']}'),
      422,
      'channels',
    ],
    ['users to find', 'POST /info', filled(name, '{"users":[', ']}'), 422, 'users'],
    [
      'unknown fields beside counts',
      'POST /info',
      filled(members('1'), '{"counts":true,', '}'),
      422,
      'k0',
    ],
    [
      'channels of a message',
      'POST /message',
      filled(name, '[{"user":"a","channels":[', ']}]'),
      422,
      '_schema',
    ],
    [
      'channels of messages',
      'POST /message',
      filled(() => `{"user":"a","channels":[${times(100, name).join()}]}`, '[', ']'),
      422,
      '_schema',
    ],
    [
      'copies of a message',
      'POST /message',
      `[{"user":"a","channels":[${times(100, name).join()}],"message":{"a":"${'x'.repeat(1_000_000)}"}}]`,
      422,
      '_schema',
    ],
    [
      'copies of numbers that fit no double',
      'POST /message',
      filled(
        (n) => (n < 10_000 ? '1e400' : '{"a":"a"}'),
        `[{"user":"a","channels":[${times(4, name).join()}],"message":{"a":[`,
        ']}}]',
      ),
      200,
    ],
    [
      'channels that are no Unicode',
      'POST /message',
      JSON.stringify(
        times(50, () => ({ user: 'a', channels: times(100, () => '\ud800'.repeat(30)) })),
      ),
      422,
      '0',
    ],
    [
      'settings of channels',
      'POST /channel_config',
      filled(members('{}'), '{', '}'),
      422,
      '_schema',
    ],
    [
      'settings with a connection',
      'POST /connect',
      filled(members('{}'), '{"username":"a","channel_configs":{', '}}'),
      422,
      'channel_configs',
    ],
    [
      'keys of a state',
      'POST /user_state',
      filled(members('1'), '{"user":"ann","user_state":{', '}}'),
      422,
      'user_state',
    ],
    [
      'keys of a new state',
      'POST /connect',
      filled(members('1'), '{"username":"b","fresh_user_state":{', '}}'),
      422,
      'user_state',
    ],
    [
      'public keys',
      'POST /user_state',
      filled(name, '{"user":"ann","state_public_keys":[', ']}'),
      422,
      'state_public_keys',
    ],
    [
      'public keys with a connection',
      'POST /connect',
      filled(name, '{"username":"b","state_public_keys":[', ']}'),
      422,
      'state_public_keys',
    ],
    // Invalid values.
    ['numbers for messages', 'POST /message', JSON.stringify(times(5_000, () => 1)), 422, '0'],
    [
      'faulty messages',
      'POST /message',
      JSON.stringify(times(5_000, () => ({ user: '', uuid: 'x', message: 1 }))),
      422,
      '0',
    ],
    [
      'faulty times',
      'POST /message',
      JSON.stringify(
        times(5_000, () => ({ user: 'a', channel: 'room', timestamp: `${'1'.repeat(150)}` })),
      ),
      422,
      '0',
    ],
    [
      'names that are no Unicode',
      'POST /connect',
      JSON.stringify({ username: 'a', channels: times(1_000, () => '\ud800'.repeat(100)) }),
      422,
      'channels',
    ],
    [
      'names that are too long',
      'POST /connect',
      JSON.stringify({ username: 'a', channels: times(1_000, () => 'x'.repeat(900)) }),
      422,
      'channels',
    ],
    [
      'users that are none',
      'POST /message',
      JSON.stringify([{ user: 'a', pm_users: times(20_000, () => ({})) }]),
      422,
      '0',
    ],
    ['unknown fields', 'POST /connect', filled(members('1'), '{"username":"a",', '}'), 422, 'k0'],
    [
      'unknown fields with long names',
      'POST /connect',
      filled((n) => `"${n}${'x'.repeat(10_000)}":1`, '{"username":"a",', '}'),
      422,
      '_schema',
    ],
    [
      'one unknown field with a name of a megabyte',
      'POST /connect',
      `{"username":"a","${'x'.repeat(1_000_000)}":1}`,
      422,
    ],
    [
      'unknown fields of what to tell',
      'POST /info',
      filled(members('1'), '{"info":{', '}}'),
      422,
      'info',
    ],
    ['unknown fields beside what to tell', 'POST /info', filled(members('1'), '{', '}'), 422, 'k0'],
    [
      'unknown fields in the older form',
      'POST /info',
      filled(members('1'), '{"channels":[],', '}'),
      422,
      'k0',
    ],
    [
      'unknown fields within the older form',
      'POST /info',
      filled(members('1'), '{"channels":[],"info":{', '}}'),
      422,
      'info',
    ],
    [
      'unknown fields of how much history to tell',
      'POST /info',
      filled(members('1'), '{"info":{"include_history":{', '}}}'),
      422,
      'info',
    ],
    [
      'unknown fields of a page of history',
      'POST /history',
      filled(members('1'), '{"channel":"room",', '}'),
      422,
      'k0',
    ],
    [
      'an id of an event',
      'POST /history',
      `{"channel":"room","before":"${'1'.repeat(BODY_LENGTH - 100)}"}`,
      422,
      'before',
    ],
    [
      'unknown settings of one channel',
      'POST /channel_config',
      filled(members('1'), '{"room":{', '}}'),
      422,
      'k0',
    ],
    [
      'unknown settings of channels',
      'POST /connect',
      JSON.stringify({
        username: 'a',
        channel_configs: Object.fromEntries(
          times(1_000, (n) => [`c${n}`, Object.fromEntries(times(70, (k) => [`k${k}`, 1]))]),
        ),
      }),
      422,
      'channel_configs',
    ],
    [
      'values of a state that are none',
      'POST /connect',
      JSON.stringify({
        username: 'a',
        user_state: Object.fromEntries(times(16_000, (n) => [`k${n}`, []])),
      }),
      422,
      'user_state',
    ],
    [
      'histories that are too long',
      'POST /channel_config',
      JSON.stringify(Object.fromEntries(times(1_000, (n) => [`c${n}`, { history_size: 1_001 }]))),
      422,
      'history_size',
    ],
    [
      'names of channels that are no Unicode',
      'POST /channel_config',
      `{${times(1_000, (n) => `"\\ud800${n}":{}`).join()}}`,
      422,
    ],
    // Kinds of JSON.
    ['brackets', 'POST /message', '['.repeat(BODY_LENGTH), 400, 'body'],
    ['brackets that are not closed', 'POST /message', filled(() => '{"a":[', '[', ''), 400, 'body'],
    ['an end that is missing', 'POST /message', filled(members('1'), '[{', ''), 400, 'body'],
    ['an end that is wrong', 'POST /message', filled(members('1'), '[{', '}}'), 400, 'body'],
    ['a fault at the end', 'POST /message', filled(members('1'), '[{', ',}]'), 400, 'body'],
    [
      'a prototype key at the end',
      'POST /message',
      filled(members('1'), '[{', ',"__proto__":1}]'),
      422,
      '0',
    ],
    [
      'escapes, which a prototype key may hide in',
      'POST /message',
      filled(() => '{"\\u005f\\u005fproto\\u005f":1}', '[{"user":"a","message":{"a":[', ']}}]'),
      200,
    ],
    [
      'the text of a prototype key',
      'POST /message',
      filled(() => '"__proto__"', '[{"user":"a","message":{"a":[', ']}}]'),
      200,
    ],
    ['white space', 'POST /message', `[${' '.repeat(BODY_LENGTH)}]`, 200],
    [
      'a text of escapes',
      'POST /message',
      `[{"user":"a","message":{"a":"${'\\u005f'.repeat(170_000)}"}}]`,
      200,
    ],
    [
      'a text of quotes',
      'POST /message',
      `[{"user":"a","message":{"a":"${'\\"'.repeat(500_000)}"}}]`,
      200,
    ],
    [
      'a text of backslashes',
      'POST /message',
      `[{"user":"a","message":{"a":"${'\\\\'.repeat(500_000)}"}}]`,
      200,
    ],
    [
      'a text outside ASCII',
      'POST /message',
      `[{"user":"a","message":{"a":"${'\u{1f600}'.repeat(250_000)}"}}]`,
      200,
    ],
    [
      'not UTF-8',
      'POST /message',
      `[{"user":"a","message":{"a":"${'x'.repeat(1_000_000)}`,
      400,
      'body',
    ],
    [
      'numbers that fit no double',
      'POST /message',
      filled(() => '1e400', '[{"user":"a","message":{"a":[', ']}}]'),
      422,
      '0',
    ],
    [
      'as many of them as there may be, and others',
      'POST /message',
      filled(
        (n) => (n < 10_000 ? '1e400' : '{"a":"a"}'),
        '[{"user":"a","channel":"room","message":{"a":[',
        ']}}]',
      ),
      200,
    ],
    [
      'as many of them as there may be, with many digits',
      'POST /message',
      filled(
        (n) => (n < 10_000 ? `1234567890${'0'.repeat(79)}1` : '0'),
        '[{"user":"a","channel":"room","message":{"a":[',
        ']}}]',
      ),
      200,
    ],
    [
      'numbers with exponents',
      'POST /message',
      filled(() => '1e5', '[{"user":"a","channel":"room","message":{"a":[', ']}}]'),
      200,
    ],
    [
      'numbers with as many digits as a double has',
      'POST /message',
      filled(() => '0.12345678901234568', '[{"user":"a","channel":"room","message":{"a":[', ']}}]'),
      200,
    ],
    [
      'an integer of a megabyte',
      'POST /message',
      `[{"user":"a","channel":"room","message":{"a":1${'0'.repeat(1_000_000)}1}}]`,
      200,
    ],
    [
      'a fraction of a megabyte',
      'POST /message',
      `[{"user":"a","channel":"room","message":{"a":1.${'0'.repeat(1_000_000)}1}}]`,
      200,
    ],
    [
      'a fraction of a megabyte of zeros',
      'POST /message',
      `[{"user":"a","channel":"room","message":{"a":1.${'0'.repeat(1_000_000)}}}]`,
      200,
    ],
    [
      'a state of numbers that fit no double',
      'POST /user_state',
      `{"user":"ann","user_state":{${times(4_000, (n) => `"k${n}":1e400`).join()}}}`,
      200,
    ],
    [
      'lists in lists',
      'POST /message',
      filled(
        () => '['.repeat(90) + ']'.repeat(90),
        '[{"user":"a","channel":"room","message":{"a":[',
        ']}}]',
      ),
      400,
    ],
    [
      'as many lists in lists as there may be',
      'POST /message',
      filled(
        () => '[ '.repeat(90) + ']'.repeat(90),
        '[{"user":"a","channel":"room","message":{"a":[',
        ']}}]',
      ),
      200,
    ],
    [
      'objects in objects',
      'POST /message',
      filled(
        () => '{"a":'.repeat(90) + '1' + '}'.repeat(90),
        '[{"user":"a","channel":"room","message":{"a":[',
        ']}}]',
      ),
      200,
    ],
    [
      'empty lists',
      'POST /message',
      filled(() => '[]', '[{"user":"a","channel":"room","message":{"a":[', ']}}]'),
      200,
    ],
    [
      'empty objects',
      'POST /message',
      filled(() => '{}', '[{"user":"a","channel":"room","message":{"a":[', ']}}]'),
      200,
    ],
    [
      'objects with a key of their own each',
      'POST /message',
      filled((n) => `{"k${n}":1}`, '[{"user":"a","channel":"room","message":{"a":[', ']}}]'),
      200,
    ],
    [
      'keys of a payload',
      'POST /message',
      filled(members('1'), '[{"user":"a","channel":"room","message":{', '}}]'),
      200,
    ],
    [
      'keys of a payload to nobody',
      'POST /message',
      filled(members('1'), '[{"user":"a","channel":"nowhere","message":{', '}}]'),
      200,
    ],
    [
      'numbers as keys of a payload',
      'POST /message',
      filled((n) => `"${n * 7}":1`, '[{"user":"a","channel":"room","message":{', '}}]'),
      200,
    ],
    ['keys of an end', 'POST /disconnect', filled(members('1'), '{', '}'), 422, 'conn_id'],
    [
      'keys with an escape',
      'POST /disconnect',
      filled(members('1'), '{"\\u0061":1,', '}'),
      422,
      'conn_id',
    ],
    [
      'lists with an escape',
      'POST /disconnect',
      filled(() => '[]', '{"\\u0061":[', ']}'),
      422,
      'conn_id',
    ],
    [
      'a prototype key behind lists',
      'POST /disconnect',
      filled(() => '[]', '{"a":[', '],"__proto__":1}'),
      422,
      '__proto__',
    ],
  ]
  it.each(named(signed))('a megabyte of %s', async (_what, tried) => {
    await expectShort(tried, (line, body) => backend.send(line, { body }))
  })

  const strangers: readonly Case[] = [
    ['keys', 'POST /disconnect', filled(members('1'), '{', '}'), 413, 'request'],
    [
      'names in a form',
      'POST /admin/sign_in',
      filled((n) => `k${n}`).replaceAll(',', '&'),
      413,
      'request',
    ],
    [
      'spaces in a form',
      'POST /admin/sign_in',
      `username=${'+'.repeat(BODY_LENGTH)}`,
      413,
      'request',
    ],
  ]
  it.each(named(strangers))('a megabyte of %s, unsigned', async (_what, tried) => {
    await expectShort(tried, (line, body) => send(server, line, { body }))
  })

  describe('that asks for as much as it may', () => {
    const LISTENERS = 500
    const users = (prefix: string) => times(20_000, (n) => `${prefix}${n}`)
    const message = { user: 'a', channel: 'hall', message: { text: 'x'.repeat(100) } }
    let listener: Listener

    beforeAll(async () => {
      listener = await Listener.open(server, await backend.connect('listener', ['hall']))
      for (let n = 0; n < LISTENERS; n++)
        await openDeaf(
          server,
          await backend.connect(`u${n}`, ['hall'], NO_DETAILS),
          n % 2 === 0 ? 'ws' : 'sse',
        )
    })
    afterAll(closeClients)

    it.each([
      ['messages to many listeners', times(5_000, () => ({ ...message, message: { n: 1 } }))],
      ['messages with keys of their own', times(4_000, (n) => ({ ...message, n, more: true }))],
      [
        'messages of a kilobyte',
        times(900, () => ({ ...message, message: { text: 'x'.repeat(1_000) } })),
      ],
      [
        'messages without some listeners',
        times(2_000, () => ({ ...message, exclude_users: times(30, (n) => `u${n}`) })),
      ],
      ['users who get a message', [{ ...message, pm_users: users('u') }]],
      ['users who do not get a message', [{ ...message, exclude_users: users('u') }]],
      [
        'users of a private message',
        times(4, () => ({ ...message, channel: null, pm_users: users('u') })),
      ],
      [
        'users of a private message, and others',
        times(2, () => ({
          ...message,
          channel: null,
          pm_users: users('u'),
          exclude_users: users('v'),
        })),
      ],
    ])('%s', async (what, json) => {
      await probe.expectShortTurns(what, async () => {
        const answer = await backend.send('POST /message', { json })
        expect(answer.status, answer.text.slice(0, 300)).toBe(200)
      })
    })

    describe('of many channels', () => {
      const halls = times(100, (n) => `hall ${n}`)
      const inHalls = (length: number) => ({
        user: 'a',
        channels: halls,
        message: { text: 'x'.repeat(length) },
      })

      beforeAll(async () => {
        for (let n = 0; n < 200; n++) {
          const channels = [halls[n % 100] ?? '', halls[(n + 1) % 100] ?? '']
          const connId = await backend.connect(`h${n}`, channels, NO_DETAILS)
          await openDeaf(server, connId, n % 2 === 0 ? 'ws' : 'sse')
        }
        for (let from = 0; from < 10_000; from += 1_000)
          await backend.call(
            'POST /channel_config',
            Object.fromEntries(times(1_000, (n) => [`m${from + n}`, { store_history: true }])),
          )
        for (let n = 0; n < 50; n++)
          await backend.connect(
            'everywhere',
            times(1_000, (at) => `m${n * 20 + at}`),
            NO_DETAILS,
          )
      })

      it.each([
        ['short messages', times(50, () => inHalls(10))],
        ['short messages with keys of their own', times(50, (n) => ({ ...inHalls(10), n }))],
        ['a message that is long', [inHalls(40_000)]],
        ['messages of half a kilobyte', times(50, () => inHalls(500))],
        [
          'a message without many users',
          [{ ...inHalls(10), exclude_users: users('u').slice(0, 1_000) }],
        ],
        [
          'messages to some',
          times(50, () => ({ ...inHalls(10), pm_users: times(20, (n) => `h${n}`) })),
        ],
        [
          'messages without some listeners',
          times(50, () => ({ ...inHalls(10), exclude_users: times(20, (n) => `h${n}`) })),
        ],
      ])('%s', async (what, json) => {
        for (const line of ['POST /message', 'POST /message?recipients=1'])
          await probe.expectShortTurns(`${what}, ${line}`, async () => {
            const answer = await backend.send(line, { json })
            expect(answer.status, answer.text.slice(0, 300)).toBe(200)
          })
      })

      it.each([
        ['counts', { counts: true, channels: times(10_000, (n) => `m${n}`) }],
        ['counts of all', { counts: true }],
        ['users of whom nobody is there', { users: users('v').slice(0, 10_000) }],
        ['users who are in many', { users: ['everywhere', ...users('h').slice(0, 9_999)] }],
        [
          'descriptions with counts',
          { info: { counts: true, channels: times(1_000, (n) => `m${n}`), include_users: false } },
        ],
      ])('%s', async (what, json) => {
        await probe.expectShortTurns(what, () => backend.call('POST /info', json))
      })
    })

    it('comes in order all the same', async () => {
      const json = times(5_000, (n) => ({ ...message, message: { text: `round ${n}` } }))
      await backend.call('POST /message', json)
      await listener.heard('round 4999', 60_000)
      expect(listener.texts.filter((text) => text?.startsWith('round'))).toEqual(
        json.map(({ message: { text } }) => text),
      )
    })

    it.each([
      [
        'channels with settings',
        'POST /channel_config',
        Object.fromEntries(
          times(1_000, (n) => [
            `s${n}`,
            {
              store_history: true,
              notify_presence: true,
              notify_state: true,
              broadcast_presence_with_user_lists: true,
            },
          ]),
        ),
      ],
      [
        'channels to be in',
        'POST /connect',
        { username: 'u0', channels: times(1_000, (n) => `s${n}`) },
      ],
      [
        'state to be told',
        'POST /user_state',
        {
          user: 'u0',
          user_state: Object.fromEntries(
            times(4_000, (n) => [`k${n}`, Math.floor(Math.random() * 1e4)]),
          ),
          state_public_keys: times(4_000, (n) => `k${n}`),
        },
      ],
    ])('%s', async (what, line, json) => {
      await probe.expectShortTurns(what, () => backend.call(line, json))
    })
  })
})

describe('limits on users, and fields that are ignored', { timeout: 120_000 }, () => {
  const CONNECTIONS = 500
  let probe: TurnProbe
  let backend: Backend

  beforeAll(async () => {
    const server = await ServerProcess.start({
      ...PROBED,
      settings: {
        gc_conns_after: 3600,
        max_connections_per_user: 100_000,
        max_channels_per_user: 100_000,
        message_rate_per_user: 0.001,
        message_burst_per_user: 1,
        unlimited_users: times(1_000, (n) => `system ${n}`).join(),
        unknown_fields: 'ignore',
        channel_config_names: 'checked',
        secret_fallbacks: times(10, (n) => `former ${n}`).join('\n'),
      },
    })
    probe = new TurnProbe(server)
    backend = new Backend(server)
    const channels = times(200, (n) => `c${n}`)
    for (let n = 0; n < CONNECTIONS; n++) await backend.connect('ann', channels, NO_DETAILS)
    await backend.connect('bob', ['room'])
  })
  afterAll(killProcesses)

  /** Users who have said nothing yet, also when the work is measured again. */
  let newUsers = 0
  const messages = times(5_000, (n) => ({ user: `u${n}`, channel: 'room' }))
  const cases: readonly (readonly [what: string, line: string, json: unknown, status: number])[] = [
    ['messages of users who have used up their burst', 'POST /message', messages, 429],
    [
      'messages in a channel each',
      'POST /message',
      times(5_000, (n) => ({ user: 'ann', channel: `${'x'.repeat(100)}${n}` })),
      200,
    ],
    ['channels of a user with many', 'POST /connect', connectTo('c'), 200],
    ['new channels of a user with many', 'POST /connect', connectTo('new'), 200],
    [
      'new channels of a user with many connections',
      'POST /subscribe',
      { username: 'ann', channels: times(100, (n) => `later ${n}`), ...NO_DETAILS },
      200,
    ],
    [
      'names in a configuration',
      'POST /channel_config',
      Object.fromEntries(times(1_000, (n) => [`${'x'.repeat(900)}${n}`, {}])),
      422,
    ],
  ]
  it.each([
    ['messages of a user each', 5_000, 'u'],
    ['messages of users with long names', 1_700, 'x'.repeat(500)],
  ])('%s hold it no longer', async (what, count, name) => {
    await probe.expectShortTurns(what, async () => {
      const json = times(count, () => ({ user: `${name} ${newUsers++}`, channel: 'room' }))
      expect((await backend.send('POST /message', { json })).status).toBe(200)
    })
  })

  it.each(cases)('%s hold it no longer', async (what, line, json, status) => {
    if (status === 429) expect((await backend.send(line, { json })).status).toBe(200)
    await probe.expectShortTurns(what, async () => {
      const answer = await backend.send(line, { json })
      expect(answer.status, answer.text.slice(0, 300)).toBe(status)
    })
  })

  it.each([
    ['unknown fields', 'POST /connect', filled(members('1'), '{"username":"a",', '}')],
    ['unknown fields of what to tell', 'POST /info', filled(members('1'), '{"info":{', '}}')],
    [
      'unknown fields in the older form',
      'POST /info',
      filled(members('1'), '{"channels":[],', '}'),
    ],
    [
      'unknown fields within the older form',
      'POST /info',
      filled(members('1'), '{"channels":["room"],"info":{', '}}'),
    ],
    [
      'unknown settings of channels',
      'POST /channel_config',
      JSON.stringify(
        Object.fromEntries(
          times(1_000, (n) => [`c${n}`, Object.fromEntries(times(70, (k) => [`k${k}`, 1]))]),
        ),
      ),
    ],
    [
      'deletes with unknown fields',
      'DELETE /message',
      JSON.stringify(
        times(5_000, (n) => ({ uuid: CONN_ID, channel: 'room', [`k${n}`]: 'x'.repeat(80) })),
      ),
    ],
  ])('a megabyte of %s that are ignored holds it no longer', async (what, line, body) => {
    await probe.expectShortTurns(what, async () => {
      const answer = await backend.send(line, { body })
      expect(answer.status, answer.text.slice(0, 300)).toBe(200)
    })
  })

  it('signatures that are wrong hold it no longer', async () => {
    const headers = { 'x-channelstream-secret': `${'x'.repeat(8_000)}.aaaa.${'a'.repeat(27)}` }
    await probe.expectShortTurns('wrong signatures', async () => {
      for (let n = 0; n < 200; n++)
        expect((await backend.send('POST /info', { headers })).status).toBe(401)
    })
  })

  function connectTo(prefix: string): object {
    return { username: 'ann', channels: times(1_000, (n) => `${prefix}${n}`), ...NO_DETAILS }
  }
})

describe('a history of a hundred thousand messages', { timeout: 240_000 }, () => {
  const COUNT = 100_000
  const uuidOf = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`
  let server: ServerProcess
  let probe: TurnProbe
  let backend: Backend

  const say = (first: number, count: number, more: object = {}) =>
    backend.call(
      'POST /message',
      times(count, (n) => ({
        ...{ user: 'a', channel: 'long', uuid: uuidOf(first + n), message: { n: first + n } },
        ...more,
      })),
    )

  beforeAll(async () => {
    server = await ServerProcess.start({ ...PROBED, settings: { max_history_size: COUNT } })
    probe = new TurnProbe(server)
    backend = new Backend(server)
    await backend.call('POST /channel_config', {
      long: { store_history: true, history_size: COUNT },
      large: { store_history: true, history_size: 100 },
    })
    for (let first = 0; first < COUNT; first += 5_000) await say(first, 5_000)
    const filler = 'x'.repeat(900_000)
    for (let n = 0; n < 20; n++) await say(n, 1, { channel: 'large', message: { filler } })
  }, 120_000)
  afterAll(killProcesses)

  const cases: readonly [what: string, line: string, json: unknown][] = [
    ['the longest page', 'POST /history', { channel: 'long', limit: 1_000 }],
    [
      'the longest page, backward',
      'POST /history',
      { channel: 'long', limit: 1_000, reverse: true },
    ],
    ['a page of large messages', 'POST /history', { channel: 'large', limit: 1_000 }],
    ['large messages in a description', 'POST /info', { info: { channels: ['large'] } }],
    [
      'many of them in a description',
      'POST /info',
      { info: { channels: ['long'], include_history: { limit: 50_000 } } },
    ],
    ['all of them in a description', 'POST /info', { info: { channels: ['long'] } }],
    [
      'thousands of edits',
      'PATCH /message',
      times(5_000, (n) => ({ channel: 'long', uuid: uuidOf(17 * n), message: { n } })),
    ],
    [
      'thousands of deletes',
      'DELETE /message',
      times(5_000, (n) => ({ channel: 'long', uuid: uuidOf(50_000 + n) })),
    ],
    ['a cut', 'POST /channel_config', { long: { store_history: true, history_size: 1_000 } }],
  ]
  it.each(cases)('%s', async (what, line, json) => {
    await probe.expectShortTurns(what, async () => {
      const { status, text } = await backend.send(line, { json })
      expect(status, text.slice(0, 300)).toBe(200)
    })
  })

  it('a page for a user who may see nothing', async () => {
    await backend.call('POST /channel_config', {
      dark: { store_history: true, history_size: COUNT },
    })
    for (let first = 0; first < COUNT; first += 5_000)
      await say(first, 5_000, { channel: 'dark', pm_users: ['b'] })
    await probe.expectShortTurns('a page for a user who may see nothing', async () => {
      const page = { channel: 'dark', username: 'c' }
      expect(await backend.call('POST /history', page)).toMatchObject({ history: [], more: false })
    })
  })

  it('that are too old', async () => {
    await backend.call('POST /channel_config', {
      old: { store_history: true, history_size: COUNT },
    })
    for (let first = 0; first < COUNT; first += 5_000) await say(first, 5_000, { channel: 'old' })
    await probe.expectShortTurns('messages that are too old', async () => {
      const old = { store_history: true, history_size: COUNT, history_ttl: 1 }
      await backend.call('POST /channel_config', { old })
      await until(async () => {
        const info = { channels: ['old'], include_history: { limit: 1 } }
        const { channels } = await backend.call<ChannelsInfo>('POST /info', { info })
        return channels['old']?.history.length === 0
      }, 'all of them to be too old')
    })
  })
})

describe('event streams', { timeout: 120_000 }, () => {
  const STREAMS = 1_000
  const GC_SECONDS = 4
  afterAll(killProcesses)

  it('that end by themselves, and come back, hold it no longer', async () => {
    const settings = { gc_conns_after: GC_SECONDS, channel_frames: 100 }
    const server = await ServerProcess.start({ ...PROBED, settings })
    const probe = new TurnProbe(server)
    const backend = new Backend(server)
    const connIds: string[] = []
    for (let n = 0; n < STREAMS; n++)
      connIds.push(await backend.connect(`u${n}`, ['hall'], NO_DETAILS))
    const message = { user: 'a', channel: 'hall', message: { text: 'x'.repeat(1_000) } }
    await backend.call(
      'POST /message',
      times(100, () => message),
    )
    await probe.expectShortTurns('streams that open, end and come back', async () => {
      let ends = 0
      const listen = async (connId: string, n: number): Promise<void> => {
        // On a slow machine it may not have been opened for longer than connections wait.
        await backend.connect(`u${n}`, ['hall'], { ...NO_DETAILS, conn_id: connId })
        const socket = await openDeaf(server, connId, 'sse')
        socket.on('data', (part: Buffer) => {
          // The last chunk of a response.
          if (!part.subarray(-7).toString().endsWith('\r\n0\r\n\r\n')) return
          if (++ends <= STREAMS) socket.write(OPENINGS.sse(connId))
        })
      }
      // All catch up with a hundred messages at once.
      await Promise.all(connIds.map(listen))
      await until(() => ends >= 2 * STREAMS, 'all streams to end twice', 60_000)
    })
    expect((await backend.info()).channels['hall']?.total_connections).toBe(STREAMS)
  })
})
