import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { ChannelsPage, FiguresResponse, UsersPage } from '../../src/protocol/admin.ts'
import { Admin } from '../helpers/admin.ts'
import { ManualClock } from '../helpers/clock.ts'
import { Backend, send } from '../helpers/http.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'

let server: ServerProcess
let admin: Admin

beforeAll(async () => {
  server = await ServerProcess.start()
  admin = await Admin.signIn(server)
  const backend = new Backend(server)
  for (const user of ['ann', 'bob', 'cem'])
    await backend.connect(user, ['lobby', `room of ${user}`])
})
afterAll(killProcesses)

const LISTS = ['/admin/channels.json', '/admin/users.json', '/admin/figures.json']

describe('the lists of the admin panel', () => {
  it('are for those who are signed in, and for signed requests', async () => {
    for (const path of LISTS) {
      const line = `GET ${path}`
      expect((await send(server, line)).status, path).toBe(403)
      expect(
        (await send(server, line, { headers: { cookie: 'channelstream_admin=x' } })).status,
      ).toBe(403)
      expect((await send(server, line, { headers: { cookie: admin.cookie } })).status).toBe(200)
      expect((await new Backend(server).send(line)).status).toBe(200)
      expect((await admin.call(line)).status).toBe(200)
    }
  })

  it('are what their schemas say', async () => {
    const schemas = { channels: ChannelsPage, users: UsersPage, figures: FiguresResponse }
    for (const [name, schema] of Object.entries(schemas)) {
      const { body } = await admin.call(`GET /admin/${name}.json`)
      expect(schema.parse(body)).toEqual(body)
    }
  })

  it('are answered page by page', async () => {
    const { body } = await admin.call(
      'GET /admin/channels.json?search=ROOM&sort=name&order=desc&offset=1&limit=1',
    )
    expect(body).toMatchObject({ total: 3, rows: [{ name: 'room of bob', total_users: 1 }] })
    const members = await admin.call('GET /admin/users.json?channel=lobby&limit=2')
    expect(members.body).toMatchObject({ total: 3, rows: [{ user: 'ann' }, { user: 'bob' }] })
    const [row] = (members.body as UsersPage).rows
    expect(row?.connections).toHaveLength(1)
  })

  it.each([
    ['limit=501', { limit: ['Must be less than or equal to 500.'] }],
    ['limit=0', { limit: ['Must be greater than or equal to 1.'] }],
    ['limit=many', { limit: ['Not a valid integer.'] }],
    ['offset=-1', { offset: ['Must be greater than or equal to 0.'] }],
    ['order=up', { order: ['Must be one of: asc, desc.'] }],
    ['sort=__proto__', { sort: [expect.stringMatching(/^Must be one of: /)] }],
    [`search=${'x'.repeat(513)}`, { search: ['Length must be between 0 and 512.'] }],
    ['search=a&search=b', { search: ['Not a valid string.'] }],
  ])('refuse %s', async (query, complaints) => {
    for (const list of ['channels', 'users']) {
      const { status, body } = await admin.call(`GET /admin/${list}.json?${query}`)
      expect(status).toBe(422)
      expect(body).toEqual(complaints)
    }
  })

  it('take what is odd for text', async () => {
    for (const search of ['%00', '%F0%9F%8E%89', '__proto__', '.*', '%25', '%', '%ff', '(']) {
      const { status } = await admin.call(`GET /admin/channels.json?search=${search}`)
      expect([200, 400], search).toContain(status)
    }
    const far = await admin.call('GET /admin/channels.json?offset=9007199254740991')
    expect(far.body).toMatchObject({ rows: [] })
  })
})

describe('the figures of the last hour', () => {
  it('are read every five seconds', async () => {
    const clock = new ManualClock()
    const still = await startServer({ validate_requests: false }, clock)
    onTestFinished(() => still.close())
    await clock.advance(20_000)
    const { body } = await new Backend(still).send('GET /admin/figures.json')
    const { times, series, interval_seconds, uptime_seconds } = FiguresResponse.parse(body)
    expect(interval_seconds).toBe(5)
    expect(uptime_seconds).toBe(20)
    expect(times).toHaveLength(5)
    expect(series['memory_bytes']?.at(-1)).toBeGreaterThan(10_000_000)
  })
})
