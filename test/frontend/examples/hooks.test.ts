import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { ChannelstreamConnection } from '../../../frontend/client/index.ts'
import { useBrowser } from '../../helpers/browser.ts'
import { Backend, until } from '../../helpers/http.ts'
import { startServer } from '../../helpers/server.ts'
import { Network } from '../client/network.ts'
import { bundle, loaded } from './bundle.ts'
import { announceIn, openExample } from './example-page.ts'
import type { TestServer } from '../../helpers/server.ts'
import type { ExampleOptions, ExamplePage, Room } from './example-page.ts'

const SETTINGS = { heartbeat_interval: 0.1, wake_connections_after: 0.5, resume_window: 30 }

const browser = useBrowser()
let server: TestServer
beforeAll(async () => {
  server = await startServer(SETTINGS)
  return () => server.close()
})

let lastName = 0
const newName = (): string => `room-${++lastName}`

const enter = (app: Backend, username: string, channel: string, color = 'red') =>
  app.connect(username, [channel], { user_state: { color }, state_public_keys: ['color'] })
const leave = (app: Backend, connId: string) => app.call('POST /disconnect', { conn_id: connId })

/** React's pages have `StrictMode`, which mounts each component twice. */
describe.each(['react', 'vue'])('the example for %s', (framework) => {
  let script: string
  beforeAll(async () => {
    script = await bundle(`${framework}-page.js`, 'browser')
  })

  const open = (rooms: readonly Room[], more: Partial<ExampleOptions> = {}) =>
    openExample({ browser, server, script, rooms, ...more })

  it('connects once, and asks for the channels of all components with that', async () => {
    const names = [newName(), newName()]
    const [one = '', other = ''] = names
    const { backend, untilShown, untilIn, username } = await open([
      { id: 'one', name: one },
      { id: 'same', name: one },
      { id: 'other', name: other },
    ])
    for (const id of ['one', 'same', 'other'])
      await untilShown(id, { texts: [], members: { [username]: {} }, status: 'connected', gaps: 0 })
    await untilIn(one, other)
    expect(backend.calls).toEqual(['/connect'])
  })

  it('shows messages as they were edited, without deleted ones', async () => {
    const name = newName()
    const { app, untilShown, untilIn } = await open([
      { id: 'one', name },
      { id: 'same', name },
    ])
    await untilIn(name)
    const uuid = crypto.randomUUID()
    await app.say(name, 'one')
    await app.say(name, 'two', { uuid })
    await app.say(name, 'three')
    for (const id of ['one', 'same']) await untilShown(id, { texts: ['one', 'two', 'three'] })
    const edit = { uuid, channel: name, message: { text: 'edited' } }
    await app.call('PATCH /message', [edit])
    for (const id of ['one', 'same']) await untilShown(id, { texts: ['one', 'edited', 'three'] })
    await app.call('PATCH /message', [{ uuid, channel: name, starred: true }])
    await app.say(name, 'four')
    await untilShown('one', { texts: ['one', 'edited', 'three', 'four'] })
    await app.call('DELETE /message', [{ uuid, channel: name }])
    for (const id of ['one', 'same']) await untilShown(id, { texts: ['one', 'three', 'four'] })
  })

  it('shows the last 200 messages', async () => {
    const name = newName()
    const { app, untilShown } = await open([{ id: 'one', name }])
    // Before, more would be missed than the server keeps.
    await untilShown('one', { status: 'connected' })
    const texts = Array.from({ length: 250 }, (_, n) => `message ${n}`)
    const messages = texts.map((text) => ({ user: 'app', channel: name, message: { text } }))
    await app.call('POST /message', messages)
    await untilShown('one', { texts: texts.slice(-200) })
  })

  it('keeps the members and their states', async () => {
    const name = newName()
    const { app, untilShown, untilIn, username } = await open([{ id: 'one', name }])
    await untilIn(name)
    const bob = await enter(app, 'bob', name)
    await untilShown('one', { members: { bob: { color: 'red' }, [username]: {} } })
    await app.call('POST /user_state', { user: 'bob', user_state: { color: 'green' } })
    await untilShown('one', { members: { bob: { color: 'green' }, [username]: {} } })
    await leave(app, bob)
    await untilShown('one', { members: { [username]: {} } })
  })

  it('subscribes with the first component of a channel, and unsubscribes with the last one', async () => {
    const [lobby, late] = [newName(), newName()]
    const { app, backend, show, untilShown, untilIn } = await open([{ id: 'one', name: lobby }])
    await untilIn(lobby)
    const one = { id: 'one', name: lobby }
    const [two, three] = [
      { id: 'two', name: late },
      { id: 'three', name: late },
    ]
    await show([one, two])
    await untilIn(lobby, late)
    await show([one, two, three])
    for (const id of ['two', 'three']) await untilShown(id, { texts: [], status: 'connected' })
    await app.say(late, 'hi')
    for (const id of ['two', 'three']) await untilShown(id, { texts: ['hi'], status: 'connected' })
    await show([one, three])
    await app.say(late, 'still here')
    await untilShown('three', { texts: ['hi', 'still here'] })
    await show([one])
    await untilIn(lobby)
    expect(backend.calls).toEqual(['/connect', '/subscribe', '/unsubscribe'])
  })

  it('ends the connection with its last component', async () => {
    const name = newName()
    const { page, end, untilIn, backend } = await open([{ id: 'one', name }])
    await untilIn(name)
    await end()
    await untilIn()
    expect(await page.evaluate(() => (window as unknown as ExamplePage).connection.status)).toBe(
      'disconnected',
    )
    expect(backend.calls).toEqual(['/connect'])
  })

  it('opens nothing if it is removed at once', async () => {
    const { page, end, backend, options } = await open([])
    await until(() => backend.connects === 1, 'the request')
    await end()
    const status = await page.evaluate(async (all) => {
      const example = window as unknown as ExamplePage
      example.start({ options: all, rooms: [{ id: 'one', name: 'lobby' }] })
      example.end()
      await new Promise((resolve) => setTimeout(resolve))
      return example.connection.status
    }, options)
    expect([status, backend.calls]).toEqual(['disconnected', ['/connect']])
  })

  it('leaves nothing behind if it is removed while it connects', async () => {
    const name = newName()
    let release = (): void => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    const { app, backend, page, end, username } = await open([{ id: 'one', name }], {
      beforeForwarding: () => held,
    })
    await until(() => backend.connects === 1, 'the request')
    await end()
    const goodbye = page.waitForResponse((response) => response.url().includes('/disconnect'))
    release()
    await goodbye
    const isThere = ({ user }: { user: string }): boolean => user === username
    expect((await app.info()).users.some(isThere)).toBe(false)
    expect(
      await page.evaluate(() => (window as unknown as ExamplePage).connection.connectionId),
    ).toBeNull()
  })

  it('leaves the channel of a component that is removed while the page connects', async () => {
    const [kept, left] = [newName(), newName()]
    let release = (): void => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    const one = { id: 'one', name: kept }
    const { app, backend, show, untilIn, untilShown } = await open(
      [one, { id: 'two', name: left }],
      { beforeForwarding: () => held },
    )
    await until(() => backend.connects === 1, 'the request')
    await show([one])
    release()
    await until(() => backend.calls.length === 2, 'another request')
    await untilIn(kept)
    await app.say(kept, 'hi')
    await untilShown('one', { texts: ['hi'] })
    expect(backend.calls).toEqual(['/connect', '/unsubscribe'])
  })

  it('asks for nothing when a component is replaced by another one', async () => {
    const name = newName()
    const { app, backend, show, untilIn, untilShown, username } = await open([{ id: 'one', name }])
    await untilIn(name)
    await app.say(name, 'before')
    await untilShown('one', { texts: ['before'] })
    for (const version of [1, 2, 3]) await show([{ id: 'one', name, version }])
    // The last one listens: the members are known from then on.
    await untilShown('one', { texts: [], members: { [username]: {} }, status: 'connected' })
    await app.say(name, 'after')
    await untilShown('one', { texts: ['after'], members: { [username]: {} }, status: 'connected' })
    expect(backend.calls).toEqual(['/connect'])
  })

  it('asks for nothing when its code is replaced during development', async () => {
    const name = newName()
    const rooms = [
      { id: 'one', name },
      { id: 'same', name },
    ]
    const { app, backend, page, untilShown, untilIn, username } = await open(rooms)
    await untilIn(name)
    await app.say(name, 'before')
    await untilShown('one', { texts: ['before'] })
    for (let n = 0; n < 3; n++)
      await page.evaluate(() => (window as unknown as ExamplePage).reload())
    // The component is another one, which has not heard what was said before.
    for (const id of ['one', 'same']) await untilShown(id, { texts: [] })
    await app.say(name, 'after')
    for (const id of ['one', 'same'])
      await untilShown(id, { texts: ['after'], members: { [username]: {} }, status: 'connected' })
    expect(backend.calls).toEqual(['/connect'])
  })

  it('is in the last channel after its name has changed fast', async () => {
    const names = Array.from({ length: 6 }, newName)
    const [first = '', ...others] = names
    const last = names.at(-1) ?? ''
    const { app, page, show, untilIn, untilShown, username } = await open([
      { id: 'one', name: first },
    ])
    await announceIn(
      app,
      others.map((name) => ({ id: '', name })),
    )
    await untilIn(first)
    await app.say(first, 'in the first')
    await untilShown('one', { texts: ['in the first'] })
    for (const name of others.slice(0, 3)) await show([{ id: 'one', name }])
    // The rest within one turn.
    await page.evaluate((rest) => {
      for (const name of rest) (window as unknown as ExamplePage).show([{ id: 'one', name }])
    }, others.slice(3))
    await untilIn(last)
    for (const name of names) await app.say(name, `in ${name}`)
    await untilShown('one', { texts: [`in ${last}`], members: { [username]: {} }, gaps: 0 })
  })

  it('shows each message once, and who is there, after breaks of the network', async () => {
    const name = newName()
    const network = await Network.to(server)
    const { app, untilShown, untilIn, username, backend } = await open([{ id: 'one', name }], {
      listenAt: network,
    })
    await untilIn(name)
    const bob = await enter(app, 'bob', name)
    await untilShown('one', { members: { bob: { color: 'red' }, [username]: {} } })
    const texts: string[] = []
    const say = async (text: string): Promise<void> => {
      texts.push(text)
      await app.say(name, text)
    }
    for (let round = 0; round < 3; round++) {
      await say(`before ${round}`)
      network.blocked = /./
      network.cut()
      await untilShown('one', { status: 'waiting' })
      await say(`meanwhile ${round}`)
      if (round === 0) await leave(app, bob)
      if (round === 1) await enter(app, 'dan', name, 'blue')
      network.blocked = undefined
      await untilShown('one', { status: 'connected' })
    }
    await say('after')
    const members = { dan: { color: 'blue' }, [username]: {} }
    await untilShown('one', { texts, members, status: 'connected', gaps: 0 })
    expect(backend.calls).toEqual(['/connect'])
  })

  it('tells of a gap, and shows the messages since', async () => {
    const name = newName()
    const network = await Network.to(server)
    const { app, backend, untilShown, untilIn, username } = await open([{ id: 'one', name }], {
      listenAt: network,
    })
    await untilIn(name)
    await enter(app, 'bob', name)
    await app.say(name, 'before')
    await untilShown('one', {
      texts: ['before'],
      members: { bob: { color: 'red' }, [username]: {} },
    })
    // A server that was restarted has forgotten everything.
    const other = await startServer(SETTINGS)
    onTestFinished(() => other.close())
    const otherApp = new Backend(other)
    await announceIn(otherApp, [{ id: 'one', name }])
    await enter(otherApp, 'eve', name)
    backend.server = network.target = other
    network.cut()
    const members = { eve: { color: 'red' }, [username]: {} }
    await untilShown('one', { texts: [], members, status: 'connected', gaps: 1 })
    await otherApp.say(name, 'after')
    await untilShown('one', { texts: ['after'], members, gaps: 1 })
  })

  it('is rendered on a server without a connection, and goes on in the browser', async () => {
    const name = newName()
    const rooms = [{ id: 'one', name }]
    const { render } = await loaded<Server>(`${framework}-server.js`)
    let requests = 0
    const fetch = () => Promise.reject(new Error(`request ${++requests}`))
    const connection = new ChannelstreamConnection({
      connectUrl: 'http://app.test/connect',
      websocketUrl: 'ws://push.test/ws',
      fetch,
    })
    const html = await render(connection, rooms)
    expect([connection.status, connection.channels, requests]).toEqual(['disconnected', [], 0])
    expect(html).toContain('disconnected')
    const { app, untilIn, untilShown, username } = await open(rooms, { html })
    await untilIn(name)
    await app.say(name, 'hi')
    await untilShown('one', { texts: ['hi'], members: { [username]: {} }, status: 'connected' })
  })
})

interface Server {
  readonly render: (
    connection: ChannelstreamConnection,
    rooms: readonly Room[],
  ) => string | Promise<string>
}
