import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Backend, pause, send, until } from '../helpers/http.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { Listener, RawClient, closeClients } from '../helpers/websocket.ts'

const HEARTBEAT_S = 0.1
const GC_S = 0.6
const RESUME_S = 1

describe('clients that go', { timeout: 90_000 }, () => {
  let server: ServerProcess
  let backend: Backend

  beforeAll(async () => {
    server = await ServerProcess.start({
      settings: {
        heartbeat_interval: HEARTBEAT_S,
        gc_conns_after: GC_S,
        resume_window: RESUME_S,
        wake_connections_after: 0.2,
      },
    })
    backend = new Backend(server)
  })
  afterAll(async () => {
    closeClients()
    await killProcesses()
  })

  /** Returns a listener in a room with presence. */
  async function watched(room: string): Promise<Listener> {
    const channel_configs = { [room]: { notify_presence: true } }
    const connId = await backend.connect('watcher', [room], { channel_configs })
    return Listener.open(server, connId)
  }

  /** Returns the milliseconds until the watcher gets the user's `parted`. */
  async function partedAfter(watcher: Listener, user: string, withinMs = 5_000): Promise<number> {
    const began = performance.now()
    await until(() => watcher.presenceOf(user).includes('parted'), `${user} to part`, withinMs)
    return performance.now() - began
  }

  /** Waits long enough for a second `parted` to arrive. */
  async function expectPartedOnce(watcher: Listener, user: string): Promise<void> {
    await pause(1_200)
    expect(watcher.presenceOf(user)).toEqual(['joined', 'parted'])
  }

  it.concurrent.each([1000, 1001, 3000, 4999])(
    'with the close %i have left at once',
    async (code) => {
      const watcher = await watched(`closing ${code}`)
      const connId = await backend.connect('ann', [`closing ${code}`])
      const ann = await Listener.open(server, connId)
      const parted = partedAfter(watcher, 'ann')
      await ann.close(code)
      expect(await parted).toBeLessThan(RESUME_S * 500)
      const again = await Listener.open(server, connId)
      expect((await again.closed).code).toBe(1000)
      await expectPartedOnce(watcher, 'ann')
    },
  )

  it.concurrent('and have another connection have not parted', async () => {
    const watcher = await watched('two ends')
    const [one, two] = await Promise.all(
      [0, 1].map(async () => Listener.open(server, await backend.connect('ann', ['two ends']))),
    )
    await one?.close()
    await backend.say('two ends', 'still there')
    await Promise.all([two?.heard('still there'), watcher.heard('still there')])
    expect(watcher.presenceOf('ann')).toEqual(['joined'])
    await two?.close()
    await partedAfter(watcher, 'ann')
  })

  it.concurrent(
    'without a word are told to have parted after the resume window, once',
    async () => {
      const watcher = await watched('breaking off')
      const ann = await Listener.open(server, await backend.connect('ann', ['breaking off']))
      await until(() => watcher.presenceOf('ann').length > 0, 'Ann')
      await ann.breakOff()
      expect(await partedAfter(watcher, 'ann')).toBeGreaterThan(RESUME_S * 900)
      await expectPartedOnce(watcher, 'ann')
    },
  )

  it.concurrent(
    'and come back within the resume window were never away, time and again',
    async () => {
      const watcher = await watched('flicker')
      const connId = await backend.connect('ann', ['flicker'])
      const deadline = performance.now() + 2 * RESUME_S * 1000
      let ann = await Listener.open(server, connId)
      while (performance.now() < deadline) {
        await ann.breakOff()
        await pause(RESUME_S * 200)
        ann = await Listener.open(server, connId)
      }
      await backend.say('flicker', 'still there')
      await Promise.all([ann.heard('still there'), watcher.heard('still there')])
      expect(watcher.presenceOf('ann')).toEqual(['joined'])
    },
  )

  it.concurrent('and come back as a poll were never away either', async () => {
    const watcher = await watched('change of transport')
    const connId = await backend.connect('ann', ['change of transport'])
    const ann = await Listener.open(server, connId)
    await ann.breakOff()
    await backend.say('change of transport', 'missed')
    const poll = await send(server, `GET /listen?conn_id=${connId}`)
    expect(poll.body).toMatchObject([{ message: { text: 'missed' }, catchup: true }])
    const back = await Listener.open(server, connId)
    await backend.say('change of transport', 'live')
    await Promise.all([back.heard('live'), watcher.heard('live')])
    expect(back.texts).toEqual(['live'])
    expect(watcher.presenceOf('ann')).toEqual(['joined'])
  })

  it.concurrent('that say nothing but answer pings stay, and get heartbeats', async () => {
    const watcher = await watched('silence')
    const connId = await backend.connect('ann', ['silence'])
    const ann = await Listener.open(server, connId)
    await pause((GC_S + RESUME_S) * 1000 + 500)
    await backend.say('silence', 'still there')
    await Promise.all([ann.heard('still there'), watcher.heard('still there')])
    expect(watcher.presenceOf('ann')).toEqual(['joined'])
    expect(ann.beats).toBeGreaterThan(10)
    expect(ann.ending).toBeUndefined()
  })

  it.concurrent(
    'that no longer answer are cut, and have parted after the resume window, once',
    async () => {
      const watcher = await watched('half open')
      const began = performance.now()
      const connId = await backend.connect('ann', ['half open'])
      const ann = await RawClient.openWebSocket(server, connId)
      await until(() => ann.isOver, 'the cut', 3_000)
      expect(performance.now() - began).toBeGreaterThan(GC_S * 900)
      expect(watcher.presenceOf('ann')).toEqual(['joined'])
      expect(await partedAfter(watcher, 'ann')).toBeGreaterThan(RESUME_S * 800)
      await expectPartedOnce(watcher, 'ann')
    },
  )

  it.concurrent('that no longer answer, but ask for a frame that never ends, too', async () => {
    const watcher = await watched('half a frame')
    const ann = await RawClient.openWebSocket(
      server,
      await backend.connect('ann', ['half a frame']),
    )
    const dripping = setInterval(() => ann.write(Buffer.from([0x82])), 50)
    ann.write(Buffer.from([0x82, 0xfe, 0xff, 0xff])) // announces 65535 bytes
    await until(() => ann.isOver, 'the cut', 3_000).finally(() => clearInterval(dripping))
    await partedAfter(watcher, 'ann')
  })

  it.concurrent(
    'that never came are collected after gc_conns_after, in a channel or in none',
    async () => {
      const watcher = await watched('waiting room')
      const connIds = [await backend.connect('ann', ['waiting room']), await backend.connect('ann')]
      expect(await partedAfter(watcher, 'ann')).toBeGreaterThan(GC_S * 900)
      const isKnown = async (connId: string) => {
        const json = { conn_id: connId, channels: ['x'] }
        return (await backend.send('POST /unsubscribe', { json })).status === 200
      }
      for (const connId of connIds)
        await until(async () => !(await isKnown(connId)), 'the connection to be collected')
      await expectPartedOnce(watcher, 'ann')
    },
  )

  it.concurrent('that poll stay as long as they poll, and part when they stop', async () => {
    const watcher = await watched('polling')
    const connId = await backend.connect('ann', ['polling'])
    const deadline = performance.now() + (GC_S + RESUME_S) * 1000 + 500
    while (performance.now() < deadline) {
      expect((await send(server, `GET /listen?conn_id=${connId}`)).status).toBe(200)
    }
    expect(watcher.presenceOf('ann')).toEqual(['joined'])
    await partedAfter(watcher, 'ann')
    expect((await send(server, `GET /listen?conn_id=${connId}`)).status).toBe(401)
    await expectPartedOnce(watcher, 'ann')
  })

  it.concurrent('when there is no resume window have left by breaking off', async () => {
    const own = await ServerProcess.start({ settings: { resume_window: 0 } })
    const caller = new Backend(own)
    const channel_configs = { room: { notify_presence: true } }
    const id = await caller.connect('watcher', ['room'], { channel_configs })
    const watcher = await Listener.open(own, id)
    const ann = await Listener.open(own, await caller.connect('ann', ['room']))
    await ann.breakOff()
    expect(await partedAfter(watcher, 'ann')).toBeLessThan(1_500)
  })
})
