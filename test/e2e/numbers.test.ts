import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Admin } from '../helpers/admin.ts'
import { Backend, send, until } from '../helpers/http.ts'
import { AS_POSTED, exactly, json, normal } from '../helpers/numbers.ts'
import { freePort } from '../helpers/ports.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { RedisServer } from '../helpers/redis.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import { Client, signToken } from '../philote/client.ts'

const SECRET = 'philote secret'
const ID = '1234567890123456789'
const UUID = '00000000-0000-4000-8000-000000000001'
const LIST = `[${AS_POSTED.join()}]`
/** Too long to be parsed in one step. */
const LONG = 'x'.repeat(100_000)

/** Makes names unique to a test. */
let names = 0
const fresh = (what: string): string => `${what}${++names}`

describe.each([['memory'], ['Redis']])('numbers that do not fit a double, in %s', (kind) => {
  let redis: RedisServer | undefined
  /** The server that the backend calls, and the one that clients use. With Redis they differ. */
  let [server, clients]: ServerProcess[] = []
  let backend: Backend
  let philotePort: number

  beforeAll(async () => {
    if (kind === 'Redis') redis = await RedisServer.start()
    philotePort = await freePort()
    // Connections must not expire during the tests, however slow the machine is: the answers are compared.
    const lasting = { gc_conns_after: 600 }
    const shared = redis ? { redis_url: redis.url, ...lasting } : lasting
    const philote = { philote_port: philotePort, philote_secret: SECRET }
    clients = await ServerProcess.start({ settings: { ...shared, ...philote } })
    server = redis ? await ServerProcess.start({ settings: shared }) : clients
    backend = new Backend(server)
  })
  afterAll(async () => {
    closeClients()
    await killProcesses()
    await redis?.stop()
  })

  const ask = (line: string, body: string, headers = {}) => backend.send(line, { body, headers })

  /** Returns the text of a 200 answer. */
  async function call(line: string, body: string, headers = {}): Promise<string> {
    const answer = await ask(line, body, headers)
    expect([answer.status, answer.text.slice(0, 500)]).toEqual([200, answer.text.slice(0, 500)])
    return answer.text
  }

  const KEEPS = { store_history: true, notify_presence: true, notify_state: true }

  async function join(user: string, channel: string, more = {}) {
    const settings = { ...KEEPS, broadcast_presence_with_user_lists: true }
    const connId = await backend.connect(user, [channel], {
      channel_configs: { [channel]: settings },
      ...more,
    })
    return { connId, listener: await Listener.open(clients as ServerProcess, connId) }
  }

  const listen = (connId: string) => send(clients as ServerProcess, `GET /listen?conn_id=${connId}`)

  async function frameWith(listener: Listener, part: string): Promise<string> {
    const find = () => listener.frames.find((frame) => frame.includes(part))
    await until(() => find() !== undefined, part)
    return find() ?? ''
  }

  const said = (channel: string, message: string, more = '') =>
    `[{"user":"bob","channel":"${channel}","message":${message}${more}}]`

  it.each([
    ['short', ''],
    ['long', LONG],
  ])('of a %s message arrive as they were posted, wherever it is shown', async (_, filling) => {
    const channel = fresh('room')
    const { listener, connId } = await join('ann', channel)
    const [parked, opensLate] = [
      await backend.connect('cem', [channel]),
      await backend.connect('dan', [channel]),
    ]
    const poll = listen(parked)
    const message = `{"text":"${filling}","deep":[{"list":${LIST}}],"id":${ID}}`
    const answer = await call('POST /message', said(channel, message, `,"color":${ID}`))
    const frame = await frameWith(listener, '"color"')
    await listener.breakOff()
    const shown = {
      answer,
      frame,
      poll: (await poll).text,
      late: (await listen(opensLate)).text,
      connect: await call('POST /connect', `{"username":"eve","channels":["${channel}"]}`),
      info: await call('POST /info', '{"info":{}}'),
    }
    for (const [where, text] of Object.entries(shown)) {
      expect([where, text.includes(`"message":${message}`)]).toEqual([where, true])
      expect([where, text.includes(`"color":${ID}`)]).toEqual([where, true])
    }
    // The catch-up after the cursor contains the same numbers.
    const cursor = JSON.parse(frame) as [{ id: string }]
    const before = cursor[0].id.replace(/\d+$/, (n) => String(Number(n) - 1))
    const again = await Listener.open(clients as ServerProcess, connId, { cursor: before })
    expect(await frameWith(again, '"color"')).toContain(`"message":${message}`)
  })

  it('of a private message arrive', async () => {
    const [user, channel] = [fresh('user'), fresh('room')]
    const { listener } = await join(user, channel)
    const posted = `[{"user":"bob","pm_users":["${user}"],"message":{"private":${LIST}}}]`
    await call('POST /message', posted)
    expect(await frameWith(listener, 'private')).toContain(`"message":{"private":${LIST}}`)
  })

  it('of an edit arrive, and are in the message afterwards', async () => {
    const channel = fresh('room')
    const { listener } = await join('ann', channel)
    const opensLate = await backend.connect('dan', [channel])
    await call('POST /message', said(channel, '{"n":1}', `,"uuid":"${UUID}"`))
    const message = `{"edited":${LIST}}`
    const posted = `[{"uuid":"${UUID}","channel":"${channel}","message":${message},"color":${ID}}]`
    const answer = await call('PATCH /message', posted)
    const frame = await frameWith(listener, 'message:edit')
    const late = await listen(opensLate)
    const info = await call('POST /info', `{"info":{"channels":["${channel}"]}}`)
    for (const text of [answer, frame, late.text, info])
      expect(text).toContain(`"message":${message}`)
    for (const text of [answer, frame]) expect(text).toContain(`"color":${ID}`)
    expect(info).not.toContain('"n":1')
  })

  it('of a state are shown and told as they were posted', async () => {
    const [user, channel] = [fresh('user'), fresh('room')]
    const { listener } = await join('ann', channel)
    const state = `"id":${ID},"secret":${ID}1,"list":1e400`
    const connected = await call(
      'POST /connect',
      `{"username":"${user}","channels":["${channel}"],"state_public_keys":["id","list"],` +
        `"fresh_user_state":{"fresh":-0},"user_state":{${state}}}`,
    )
    expect(connected).toContain(`"state":{"fresh":-0,${state}}`)
    expect(connected).toContain(`"public_state":{"id":${ID},"list":1e400}`)
    const presence = await frameWith(listener, `"user":"${user}"`)
    expect(presence).toContain(`"state":{"id":${ID},"list":1e400}`)
    expect(presence).toContain(`{"user":"${user}","state":{"id":${ID},"list":1e400}}`)

    // Rounds to the same double as the value before.
    const next = '1234567890123456788'
    const set = `{"user":"${user}","user_state":{"id":${next},"list":1e400}}`
    const changed = await call('POST /user_state', set)
    expect(changed).toContain(`"changed_state":[{"key":"id","value":${next}}]`)
    const told = await frameWith(listener, 'user_state_change')
    expect(told).toContain(
      `"message":{"state":{"id":${next},"list":1e400},"changed":[{"key":"id","value":${next}}]}`,
    )

    const info = await call('POST /info', '{"info":{}}')
    expect(info).toContain(`"state":{"fresh":-0,"id":${next},"secret":${ID}1,"list":1e400}`)
    const shown = await call('POST /info', '{"info":{"return_public_state":true}}')
    expect(shown).toContain(`{"user":"${user}","state":{"id":${next},"list":1e400}}`)
  })

  it('are in what the admin pages are told', async () => {
    const [user, channel] = [fresh('user'), fresh('room')]
    await backend.connect('ann', [channel], { channel_configs: { [channel]: KEEPS } })
    await call(
      'POST /connect',
      `{"username":"${user}","state_public_keys":["id"],"user_state":{"id":${ID},"own":${ID}}}`,
    )
    await call('POST /message', said(channel, `{"admin":${LIST}}`))
    const overview = await call('POST /admin/admin.json', '')
    expect(overview).toMatch(new RegExp(`"user":"${user}","uuid":"[^"]+","state":{"id":${ID}}`))
    expect(overview).toContain(`"message":{"admin":${LIST}}`)
    const admin = await Admin.signIn(server as ServerProcess)
    const listed = await admin.call(`GET /admin/users.json?user=${user}`)
    expect(listed.text).toContain(`"state":{"id":${ID},"own":${ID}}`)
    const body = `{"info":{"channels":["${channel}"]}}`
    const info = await admin.call('POST /info', { body })
    expect(info.text).toContain(`"message":{"admin":${LIST}}`)
  })

  it('are the same in the answer to a repeated request', async () => {
    const channel = fresh('room')
    await join('ann', channel)
    const headers = { 'idempotency-key': fresh('key') }
    const posted = said(channel, `{"once":${LIST}}`)
    const first = await ask('POST /message', posted, headers)
    const again = await ask('POST /message', posted, headers)
    expect(again.headers['idempotency-replayed']).toBe('true')
    expect(again.text).toBe(first.text)
    expect(again.text).toContain(`"message":{"once":${LIST}}`)
    // Rounds to the same double, but is a different request.
    const other = await ask('POST /message', posted.replace(ID, '1234567890123456788'), headers)
    expect(other.status).toBe(422)
  })

  it('pass between Philote and everybody else', async () => {
    const channel = fresh('room')
    const { listener } = await join('ann', channel)
    const token = signToken({ claims: { read: [channel], write: [channel] } }, SECRET)
    const url = `ws://127.0.0.1:${philotePort}/?auth=${token}`
    const [reader, writer] = [await Client.dial('reader', url), await Client.dial('writer', url)]
    const data = `{"to":"philote","list":${LIST}}`
    await call('POST /message', said(channel, data))
    expect((JSON.parse((await reader.next()).text) as { data: string }).data).toBe(data)
    await writer.next()
    const words = `{"from":"philote", "list": ${LIST}}`
    await writer.say(channel, words)
    expect((JSON.parse((await reader.next()).text) as { data: string }).data).toBe(words)
    const frame = await frameWith(listener, '"from"')
    expect(frame).toContain(`"message":{"from":"philote","list":${LIST}}`)
    for (const { socket } of [reader, writer]) socket.terminate()
  })

  it('arrive, whatever they are and wherever they stand', { timeout: 120_000 }, async () => {
    const channel = fresh('room')
    const { listener } = await join('ann', channel)
    let run = 0
    await fc.assert(
      fc.asyncProperty(json, json, fc.boolean(), async (one, other, isLong) => {
        const mark = `run ${++run}.`
        const filling = isLong ? `,"filling":"${LONG}"` : ''
        const message = `{"mark":"${mark}","one":${one}${filling}}`
        await call('POST /message', said(channel, message, `,"other":${other}`))
        const frame = normal(await frameWith(listener, mark), exactly)
        expect(frame).toContain(`"message":${normal(message, exactly)}`)
        expect(frame).toContain(`"other":${normal(other, exactly)}`)
      }),
      { numRuns: 100 },
    )
  })

  describe('where the server reads a value', () => {
    const MESSAGE = { user: 'bob', channel: 'room' }
    const CONNECT = { username: 'ann' }
    const CONN = { conn_id: UUID, channels: ['room'] }
    const requests = [
      ['POST /connect', CONNECT, ['username', 'conn_id', 'channels', 'state_public_keys']],
      ['POST /connect', CONNECT, ['fresh_user_state', 'user_state', 'channel_configs', 'info']],
      ['POST /subscribe', CONN, ['conn_id', 'channels', 'channel_configs', 'info']],
      ['POST /unsubscribe', CONN, ['conn_id', 'channels', 'channel_configs', 'info']],
      ['POST /user_state', { user: 'ann' }, ['user', 'user_state', 'state_public_keys']],
      ['POST /info', {}, ['info', 'channels']],
      ['POST /message', MESSAGE, ['user', 'channel', 'message', 'pm_users', 'exclude_users']],
      ['POST /message', MESSAGE, ['uuid', 'timestamp', 'no_history']],
      ['PATCH /message', { uuid: UUID }, ['uuid', 'user', 'timestamp', 'edited', 'message']],
      ['DELETE /message', { uuid: UUID }, ['uuid', 'channel', 'pm_users', 'no_history']],
      ['POST /disconnect', {}, ['conn_id']],
    ] as const
    const cases = requests.flatMap(([line, valid, fields]) =>
      fields.flatMap((field) =>
        [ID, '1e400'].map((number) => [line, field, number, valid] as const),
      ),
    )

    it.each(cases)('%s refuses a %s of %s, and names it', async (line, field, number, valid) => {
      const others = Object.entries(valid).filter(([key]) => key !== field)
      const request = JSON.stringify({ ...Object.fromEntries(others), [field]: 0 })
      const body = request.replace(`"${field}":0`, `"${field}":${number}`)
      const isList = line.endsWith('/message')
      const answer = await ask(line, isList ? `[${body}]` : body)
      expect([answer.status, answer.text]).toEqual([422, answer.text])
      const faults = answer.body as Record<string, object>
      // The older form of the request has its channels in another place.
      const path = line === 'POST /info' && field === 'channels' ? 'info' : field
      expect(Object.keys((isList ? faults['0'] : faults) ?? {})).toContain(path)
    })

    it.each([
      ['POST /message', '1e400'],
      ['POST /message', '[1e400]'],
      ['POST /connect', '1e400'],
      ['POST /channel_config', '1e400'],
      ['POST /channel_config', '{"room":1e400}'],
      ['POST /channel_config', '{"room":{"history_size":1e400}}'],
      ['POST /channel_config', `{"room":{"history_size":${ID}}}`],
      ['POST /channel_config', '{"room":{"notify_presence":1e400}}'],
      ['POST /connect', '{"username":"a","channel_configs":{"room":1e400}}'],
      ['POST /connect', '{"username":"a","user_state":{"deep":[1e400]}}'],
      ['POST /info', '{"info":{"include_users":1e400}}'],
    ])('%s refuses %s', async (line, body) => {
      const before = await backend.facts()
      const answer = await ask(line, body)
      expect([answer.status, answer.text]).toEqual([422, answer.text])
      expect(await backend.facts()).toEqual(before)
    })

    it('reads loosely what is the same number', async () => {
      const channel = fresh('room')
      const settings = '{"history_size":1e1,"store_history":1e0,"notify_presence":-0}'
      await call('POST /channel_config', `{"${channel}":${settings}}`)
      const info = await backend.info()
      expect(info.channels[channel]?.settings).toMatchObject({
        history_size: 10,
        store_history: true,
        notify_presence: false,
      })
    })
  })

  it('may be 10,000 in a body; the next one is refused by its place', async () => {
    const channel = fresh('room')
    const list = (count: number) => `[${Array<string>(count).fill(ID).join()}]`
    const answer = await call('POST /message', said(channel, `{"many":${list(10_000)}}`))
    expect(answer).toContain(list(10_000))
    for (const filling of ['', LONG]) {
      const body = said(channel, `{"x":"${filling}","many":${list(10_001)}}`)
      const refused = await ask('POST /message', body)
      expect(refused.status).toBe(422)
      const [fault] = ['More than 10000 numbers do not fit a double.']
      expect(refused.body).toEqual({ 0: { message: { many: { 10000: [fault] } } } })
    }
  })

  it.each(['NaN', 'Infinity', '-Infinity', '01e400', '+1e400', '1e400x', '{1e400:1}'])(
    'are no JSON as %s',
    async (number) => {
      expect((await ask('POST /message', said('room', `{"n":${number}}`))).status).toBe(400)
    },
  )
})
