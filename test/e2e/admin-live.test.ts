import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Admin } from '../helpers/admin.ts'
import { Backend, send, until, within } from '../helpers/http.ts'
import { Panel, closePanels } from '../helpers/live-panel.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'
import type { LiveReport } from '../../src/protocol/admin.ts'
import type { Address } from '../helpers/http.ts'

let server: ServerProcess
let admin: Admin

beforeAll(async () => {
  server = await ServerProcess.start({ settings: { max_client_messages_per_second: 20 } })
  admin = await Admin.signIn(server)
})
afterAll(closePanels)
afterAll(killProcesses)

const openPanel = (at: Address = server, as: Admin = admin): Promise<Panel> => Panel.openAs(as, at)

const isFigures = ({ type }: LiveReport): boolean => type === 'figures'

describe('the WebSocket of the admin panel', () => {
  it('is for pages of this server, of somebody who is signed in', async () => {
    const { cookie } = admin
    const origin = server.url
    for (const headers of [
      { cookie },
      { origin },
      { cookie: 'channelstream_admin=x.y.z', origin },
      { cookie, origin: 'https://evil.example' },
      { cookie, origin: 'null' },
      { cookie, origin: `${origin}.evil.example` },
      { cookie, origin: `http://127.0.0.1:${server.port + 1}` },
      { cookie, origin, 'sec-fetch-site': 'cross-site' },
    ])
      expect(await Panel.open(server, headers), JSON.stringify(headers)).toBe(403)
    expect(await Panel.open(server, { cookie, origin })).toBeInstanceOf(Panel)
  })

  it('tells others by http what it is', async () => {
    expect((await send(server, 'GET /admin/live')).status).toBe(403)
    const { status, headers } = await admin.call('GET /admin/live')
    expect(status).toBe(426)
    expect(headers.upgrade).toBe('websocket')
  })

  it('sends figures at once and every second', async () => {
    const panel = await openPanel()
    await until(() => panel.reports.filter(isFigures).length >= 3, 'three reports')
    const times = panel.reports.map((report) => (report.type === 'figures' ? report.time : 0))
    expect((times[2] ?? 0) - (times[1] ?? 0)).toBeGreaterThan(500)
  })

  it('tells what is announced in one channel, but nothing private', async () => {
    const backend = new Backend(server)
    const panel = await openPanel()
    await panel.tail('one')
    await backend.connect('ann', ['one', 'two'], {
      channel_configs: { one: { notify_presence: true } },
    })
    await backend.say('one', 'secret', { pm_users: ['ann'] })
    await backend.say('two', 'elsewhere')
    await backend.say('one', 'first')
    await until(() => panel.texts.includes('first'), 'the message')
    expect(panel.texts).toEqual([undefined, 'first'])
    expect(panel.events[0]).toMatchObject({ type: 'presence', user: 'ann' })

    await panel.tail('two')
    await backend.say('one', 'not any more')
    await backend.say('two', 'second')
    await until(() => panel.texts.includes('second'), 'the message')
    expect(panel.texts).not.toContain('not any more')

    panel.send({ type: 'untail' })
    await panel.tail('three')
    await backend.say('two', 'nor this')
    await backend.connect('bob', ['three'])
    await backend.say('three', 'third')
    await until(() => panel.texts.includes('third'), 'the message')
    expect(panel.texts).not.toContain('nor this')
  })

  it('makes no channel and no user, and tells nobody', async () => {
    const backend = new Backend(server)
    const before = await backend.info()
    const panel = await openPanel()
    await panel.tail('never made')
    panel.destroy()
    await panel.closed
    expect(await backend.info()).toEqual(before)
  })

  it('takes nothing but its requests', async () => {
    for (const request of [
      'tail',
      '',
      '[]',
      'null',
      '{"type":"tail"}',
      '{"type":"tail","channel":""}',
      '{"type":"tail","channel":1}',
      `{"type":"tail","channel":"${'x'.repeat(257)}"}`,
      '{"type":"__proto__"}',
      '{"type":"untail","more":1}',
    ]) {
      const panel = await openPanel()
      panel.send(request)
      expect(await within(panel.closed, request), request).toBe(4507)
    }
    const panel = await openPanel()
    panel.socket.send(Buffer.from([1, 2, 3]))
    expect(await within(panel.closed, 'the end')).toBe(4507)
  })

  it('takes no big frames, and not many', async () => {
    const big = await openPanel()
    big.send('x'.repeat(100_000))
    expect(await within(big.closed, 'the end')).toBe(1009)
    const many = await openPanel()
    for (let sent = 0; sent < 60; sent++) many.send({ type: 'untail' })
    expect(await within(many.closed, 'the end')).toBe(1008)
  })

  it('ends with the session', async () => {
    const other = await Admin.signIn(server)
    const panel = await openPanel(server, other)
    await other.signOut()
    expect(await within(panel.closed, 'the end')).toBe(4501)
  })

  it('ends when the server stops, and says that it comes back', async () => {
    const local = await startServer()
    const panel = await openPanel(local, await Admin.signIn(local))
    await panel.tail('room')
    await local.close()
    expect(await within(panel.closed, 'the end')).toBe(1012)
  })

  it('leaves nothing behind', async () => {
    const local = await startServer()
    const panel = await openPanel(local, await Admin.signIn(local))
    await panel.tail('room')
    expect(local.app.hub.guests.size).toBe(1)
    panel.destroy()
    await until(() => local.app.hub.guests.size === 0, 'the guest to go')
    await local.close()
  })
})
