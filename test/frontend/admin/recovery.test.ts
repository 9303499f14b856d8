import net from 'node:net'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { PHONE, screenshot, useBrowser } from '../../helpers/browser.ts'
import { INSTALL_TIMEOUT_MS } from '../../helpers/debian-packages.ts'
import { Backend } from '../../helpers/http.ts'
import { ServerProcess, killProcesses } from '../../helpers/process.ts'
import { freshPrefix } from '../../helpers/redis-store.ts'
import { RedisServer } from '../../helpers/redis.ts'
import { goTo, isLive, makeRoom, signIn } from './panel.ts'

const browser = useBrowser()
/** A Redis: only with one, sessions of the panel survive a restart of the server. */
let redis: RedisServer
beforeAll(async () => {
  redis = await RedisServer.start()
}, INSTALL_TIMEOUT_MS)
afterAll(async () => {
  await killProcesses()
  await redis.stop()
})

const onRedis = () => ({ redis_url: redis.url, redis_prefix: freshPrefix() })

/** Expected console errors: these tests make the server unreachable. */
const expected = /ERR_CONNECTION|ERR_EMPTY_RESPONSE|WebSocket connection|status of (403|503)/

/** After this silence, the panel considers the connection lost. */
const SILENCE_MS = 8_000

const start = (settings: Readonly<Record<string, string | number>>, port = 0) =>
  ServerProcess.start({ settings, args: ['--port', String(port)] })

describe('a server that dies under the page', () => {
  it('is found again when it is back, with everything that is new there', async () => {
    const settings = { ...onRedis(), gc_conns_after: 600 }
    const first = await start(settings)
    const page = await browser.newPage({ expected })
    await signIn(page, first.url)
    await makeRoom(first, 'lobby')
    await goTo(page, '#/channel/lobby')
    await page.getByText('listening (no private messages)').waitFor()

    await first.kill()
    await page.getByText('The server cannot be reached.').first().waitFor()
    expect(await page.locator('.state').textContent()).toBe('Reconnecting')
    await screenshot(page, 'reconnecting')

    const second = await start(settings, first.port)
    await isLive(page)
    await page.getByText('listening (no private messages)').waitFor()
    await makeRoom(second, 'lobby', 'bob')
    await new Backend(second).say('lobby', 'back again')
    await page.locator('cs-live-tail').getByText('back again').waitFor()
    await page.locator('cs-history-list').getByText('back again').waitFor()
    await page.locator('cs-member-list').getByText('bob').waitFor()
  }, 60_000)

  it('asks to sign in again if it does not know the session any more', async () => {
    const settings = { cookie_secret: 'kept' }
    const first = await start(settings)
    const page = await browser.newPage({ expected, viewport: PHONE })
    await signIn(page, first.url)
    const bar = page.locator('cs-app header')
    const heightPx = (await bar.boundingBox())?.height
    await first.kill()
    await page.getByText('Reconnecting').waitFor()
    expect((await bar.boundingBox())?.height, 'the bar, of whatever it tells').toBe(heightPx)
    await goTo(page, '#/channel/unread')
    await page.locator('cs-channel .fault').waitFor()
    expect(await page.getByText(/Loading|No messages yet/).count()).toBe(0)
    await start(settings, first.port)
    await page.waitForURL('**/admin/sign_in', { timeout: 20_000 })
  }, 60_000)

  it('that stops in order is waited for as well', async () => {
    const settings = onRedis()
    const first = await start(settings)
    const page = await browser.newPage({ expected })
    await signIn(page, first.url)
    first.signal('SIGTERM')
    await first.exited
    await page.getByText('Reconnecting').waitFor()
    await start(settings, first.port)
    await isLive(page)
  }, 60_000)
})

describe('a network that loses everything', () => {
  it('is noticed, though nobody closes the connection', async () => {
    const server = await start({})
    const proxy = await silentProxy(server.port)
    const page = await browser.newPage({ expected })
    await page.clock.install()
    await signIn(page, `http://127.0.0.1:${proxy.port}`)
    proxy.fallSilent()
    await page.clock.fastForward(SILENCE_MS)
    await page.getByText('Reconnecting').waitFor()
    proxy.speak()
    await isLive(page)
  }, 60_000)
})

/** Forwards bytes until silenced. Then connections stay open, but no data arrives. */
async function silentProxy(target: number) {
  let isSilent = false
  const sockets = new Set<net.Socket>()
  const proxy = net.createServer((client) => {
    if (isSilent) return void client.destroy()
    const server = net.connect(target, '127.0.0.1')
    for (const socket of [client, server]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => sockets.delete(socket))
    }
    client.on('data', (data) => isSilent || server.write(data))
    server.on('data', (data) => isSilent || client.write(data))
    client.on('close', () => server.destroy())
    server.on('close', () => client.destroy())
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    proxy.close()
  })
  return {
    port: (proxy.address() as net.AddressInfo).port,
    fallSilent: () => void (isSilent = true),
    speak: () => void (isSilent = false),
  }
}
