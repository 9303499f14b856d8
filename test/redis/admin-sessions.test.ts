/** Sessions of the admin panel, on several servers that share a Redis. */
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { Admin } from '../helpers/admin.ts'
import { endAll } from '../helpers/ending.ts'
import { pause, send, until, within } from '../helpers/http.ts'
import { Panel, closePanels } from '../helpers/live-panel.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { startServer } from '../helpers/server.ts'
import { TcpProxy } from '../helpers/tcp-proxy.ts'
import { RawClient, handshake } from '../helpers/websocket.ts'
import type { ConfigInput } from '../../src/config/load.ts'
import type { TestServer } from '../helpers/server.ts'

const TIMEOUT_MS = 40_000

let redis: RedisServer
const running = new Set<TestServer>()

beforeAll(async () => {
  redis = await RedisServer.start()
})
afterEach(async () => {
  closePanels()
  await Promise.all([...running].map(stop))
})
afterAll(endAll)

async function start(settings: ConfigInput): Promise<TestServer> {
  const server = await startServer({ redis_url: redis.url, redis_timeout: 1, ...settings })
  running.add(server)
  return server
}

async function stop(server: TestServer): Promise<void> {
  running.delete(server)
  await server.close()
}

async function startTwo(settings: ConfigInput = {}) {
  const shared = { redis_prefix: freshPrefix(), ...settings }
  return { shared, one: await start(shared), two: await start(shared) }
}

const status = async (admin: Admin): Promise<number> => (await admin.open('/admin')).status

describe('a session of the admin pages', { timeout: TIMEOUT_MS }, () => {
  it('is known at every server, with and without a cookie_secret', async () => {
    for (const cookie_secret of ['', 'the same']) {
      const { one, two } = await startTwo({ cookie_secret })
      const admin = await Admin.signIn(one)
      expect(await status(admin.at(two))).toBe(200)
      expect((await admin.at(two).call('POST /info')).status).toBe(200)
    }
  })

  it('is over at every server when it is signed out at one, and stays over when all of them are restarted', async () => {
    const { shared, one, two } = await startTwo()
    const admin = await Admin.signIn(one)
    const other = await Admin.signIn(one)
    await admin.at(two).signOut()
    for (const server of [one, two]) {
      expect(await status(admin.at(server))).toBe(302)
      expect((await admin.at(server).call('POST /info')).status).toBe(403)
    }
    await Promise.all([stop(one), stop(two)])
    const again = await start(shared)
    expect(await status(admin.at(again))).toBe(302)
    expect(await status(other.at(again))).toBe(200)
  })

  it('ends what panels have open at other servers', async () => {
    const { one, two } = await startTwo()
    const admin = await Admin.signIn(one)
    const panels = [await Panel.openAs(admin.at(one), one), await Panel.openAs(admin.at(two), two)]
    const other = await Panel.openAs(await Admin.signIn(one), two)
    await admin.signOut()
    for (const panel of panels) expect(await within(panel.closed, 'the end')).toBe(4501)
    const reports = other.reports.length
    await until(() => other.reports.length > reports, 'another report')
  })

  it.each([
    ['password', { admin_secret: 'another' }],
    ['user', { admin_user: 'another' }],
    ['cookie_secret', { cookie_secret: 'another' }],
  ])('is over when the %s changes', async (_, changed) => {
    const { shared, one, two } = await startTwo({ cookie_secret: 'the same' })
    const admin = await Admin.signIn(one)
    await stop(two)
    const renewed = await start({ ...shared, ...changed })
    expect(await status(admin.at(renewed))).toBe(302)
    expect((await admin.at(renewed).call('POST /info')).status).toBe(403)
  })

  it('outlives a new password while the former one is listed, which is no password any more', async () => {
    const { shared, one: first, two: second } = await startTwo({ admin_secret: 'old' })
    const old = { username: 'admin', password: 'old' }
    const fresh = { username: 'admin', password: 'new' }
    const before = await Admin.signIn(first, old)
    // The servers get the new password one after the other. Each one knows both from the first step on.
    await stop(first)
    const prepared = await start({ ...shared, admin_secret_fallbacks: 'new' })
    await stop(second)
    const changed = await start({
      ...shared,
      admin_secret: 'new',
      admin_secret_fallbacks: 'older\nold',
    })
    expect(await status(before.at(prepared))).toBe(200)
    expect(await status(before.at(changed))).toBe(200)
    expect((await before.at(changed).call('POST /info')).status).toBe(200)
    const after = await Admin.signIn(changed, fresh)
    expect(await status(after)).toBe(200)
    expect(await status(after.at(prepared))).toBe(200)
    expect((await Admin.signIn(changed, old)).cookie).toBe('')
    expect((await Admin.signIn(prepared, fresh)).cookie).toBe('')
    expect(await status(await Admin.signIn(prepared, old))).toBe(200)

    // Signing out works with either, at any server.
    await before.at(changed).signOut()
    await after.at(prepared).signOut()
    for (const server of [prepared, changed])
      for (const admin of [before, after]) expect(await status(admin.at(server))).toBe(302)

    // Without the former one, its sessions are over.
    const last = await Admin.signIn(prepared, old)
    expect(await status(last.at(changed))).toBe(200)
    await stop(changed)
    const done = await start({ ...shared, admin_secret: 'new' })
    expect(await status(last.at(done))).toBe(302)
  })

  it('that is looked up while the server stops opens no panel any more', async () => {
    const proxy = await TcpProxy.start(redis.port)
    onTestFinished(() => proxy.stop())
    const server = await start({
      redis_url: `redis://127.0.0.1:${proxy.port}`,
      redis_prefix: freshPrefix(),
      redis_timeout: 10,
      shutdown_grace: 0.2,
    })
    const admin = await Admin.signIn(server)
    proxy.silence()
    const origin = `http://${server.host}:${server.port}`
    const client = await RawClient.connect(server)
    client.write(
      handshake('/admin/live', {
        Host: `${server.host}:${server.port}`,
        Origin: origin,
        Cookie: admin.cookie,
      }),
    )
    // A moment later than the handshake: what follows would not reach the server before it.
    await pause(200)
    const stopping = stop(server)
    await pause(500)
    proxy.heal()
    await within(stopping, 'the stop', 20_000)
    expect(await client.answered()).toBe(503)
  })

  it('cannot be made of what Redis knows of it', async () => {
    const { shared, one } = await startTwo()
    const admin = await Admin.signIn(one)
    const [name = '', id = ''] = admin.cookie.split('=')
    const commands = await redis.client()
    onTestFinished(() => commands.destroy())
    const [key = ''] = await commands.keys(`{${shared.redis_prefix}}:admin:*`)
    const [kept = ''] = await commands.zRange(key, 0, -1)
    expect(kept).not.toBe('')
    expect(kept).not.toContain(id)
    const stolen = await send(one, 'GET /admin', { headers: { cookie: `${name}=${kept}` } })
    expect(stolen.status).toBe(302)
  })

  it('does not come back to life with an older copy of the memory of Redis', async () => {
    const own = await RedisServer.start()
    const shared = { redis_prefix: freshPrefix(), redis_url: own.url }
    const server = await start(shared)
    const admin = await Admin.signIn(server)
    const commands = await own.client()
    onTestFinished(() => commands.destroy())
    await commands.sendCommand(['SAVE'])
    await admin.signOut()
    expect(await status(admin)).toBe(302)
    await own.restart()
    const fresh = await own.client()
    onTestFinished(() => fresh.destroy())
    const left = await fresh.keys(`{${shared.redis_prefix}}:admin:*`)
    expect(left, 'the copy, with the session that has ended since').toHaveLength(1)
    await until(async () => (await status(admin)) !== 503, 'the server to find Redis')
    expect(await status(admin)).toBe(302)
  })
})

describe('the admin pages while Redis is away', { timeout: TIMEOUT_MS }, () => {
  async function startBehindProxy() {
    const proxy = await TcpProxy.start(redis.port)
    const server = await start({
      redis_prefix: freshPrefix(),
      redis_url: `redis://127.0.0.1:${proxy.port}`,
    })
    onTestFinished(async () => {
      proxy.heal()
      await stop(server)
      await proxy.stop()
    })
    const isAway = async () => (await send(server, 'GET /health')).status === 503
    const lose = async (): Promise<void> => {
      proxy.silence()
      await until(isAway, 'the server to notice')
    }
    const find = async (): Promise<void> => {
      proxy.heal()
      await until(async () => !(await isAway()), 'the server to find back')
    }
    return { server, lose, find }
  }

  it('are 503 for whoever has a session, and the session is there when Redis is back', async () => {
    const { server, lose, find } = await startBehindProxy()
    const admin = await Admin.signIn(server)
    await lose()
    for (const path of ['/admin', '/admin/debug', '/admin/sign_out', '/api-explorer/']) {
      const page = await admin.open(path)
      expect(page.status, path).toBe(503)
      expect(page.headers, path).toMatchObject({
        'content-type': 'text/html; charset=utf-8',
        'x-channelstream-error': 'STORE_AWAY',
        'retry-after': '1',
        'cache-control': 'no-store',
      })
      expect(page.text, path).toContain('The store cannot be reached. Try again.')
    }
    const json = { request: 'The store cannot be reached. Try again.' }
    for (const line of ['GET /admin/users.json', 'GET /openapi.json', 'POST /info'])
      expect(await admin.call(line), line).toMatchObject({ status: 503, body: json })
    expect((await admin.signOut()).status).toBe(503)
    expect((await admin.signOut()).headers).not.toHaveProperty('set-cookie')
    await find()
    expect(await status(admin)).toBe(200)
  })

  it('need no Redis for whoever has no session', async () => {
    const { server, lose } = await startBehindProxy()
    await lose()
    const stranger = await send(server, 'GET /admin')
    expect(stranger).toMatchObject({ status: 302, headers: { location: '/admin/sign_in' } })
    expect((await send(server, 'GET /admin/users.json')).status).toBe(403)
    const body = 'username=admin&password=admin_secret'
    const signIn = await send(server, 'POST /admin/sign_in', { body })
    expect(signIn.status).toBe(503)
    expect(signIn.headers).not.toHaveProperty('set-cookie')
  })

  it('refuse a panel, and do not tell an open one that its session has ended', async () => {
    const { server, lose, find } = await startBehindProxy()
    const admin = await Admin.signIn(server)
    const panel = await Panel.openAs(admin, server)
    await until(() => panel.reports.length > 0, 'a report')
    await lose()
    const headers = { cookie: admin.cookie, origin: server.url }
    expect(await Panel.open(server, headers)).toBe(503)
    await find()
    const reports = panel.reports.length
    await until(() => panel.reports.length > reports + 1, 'reports')
    await admin.signOut()
    expect(await within(panel.closed, 'the end')).toBe(4501)
  })
})
