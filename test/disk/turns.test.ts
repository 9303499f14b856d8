/** Requests at their limits, on a server that writes everything to its disk. */
import { afterAll, describe, expect, it } from 'vitest'
import { freshDirectory } from '../helpers/disk-store.ts'
import { Backend } from '../helpers/http.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { PROBED, TurnProbe } from '../helpers/turn-probe.ts'

afterAll(killProcesses)

const BATCH = 1000
const USERS = 5000
const times = <Item>(count: number, item: (index: number) => Item): Item[] =>
  Array.from({ length: count }, (_, index) => item(index))
const settings = { store_history: true, history_size: 1000, notify_presence: true }

async function started() {
  const server = await ServerProcess.start({
    ...PROBED,
    settings: { data_dir: freshDirectory(), gc_conns_after: 3600, resume_window: 3600 },
  })
  return { server, backend: new Backend(server), probe: new TurnProbe(server) }
}

describe('no change that is written holds the event loop', { timeout: 120_000 }, () => {
  it('whatever a request changes', async () => {
    const { server, backend, probe } = await started()
    const rooms = times(BATCH, (index) => `room ${index}`)
    const configs = Object.fromEntries(rooms.map((room) => [room, settings]))
    await probe.expectShortTurns('settings of channels', () =>
      backend.call('POST /channel_config', configs),
    )
    const connId = await backend.connect('ann', [], {})
    await probe.expectShortTurns('channels to join', () =>
      backend.call('POST /subscribe', {
        ...{ conn_id: connId, channels: rooms },
        info: { include_users: false, include_history: false },
      }),
    )
    const some = rooms.slice(0, 50)
    await probe.expectShortTurns('messages to many channels', () =>
      backend.call(
        'POST /message',
        times(20, () => ({ user: 'a', channels: some, message: { text: 'x'.repeat(300) } })),
      ),
    )
    const exact = `[${'1e400,'.repeat(9_999)}1e400]`
    await probe.expectShortTurns('numbers that fit no double', async () => {
      const body = `[{"user":"a","channels":${JSON.stringify(some.slice(0, 4))},"message":{"a":${exact}}}]`
      const { status, text } = await backend.send('POST /message', { body })
      expect(status, text.slice(0, 300)).toBe(200)
    })
    await probe.expectShortTurns('a large message', () =>
      backend.say('room 1', 'x'.repeat(1_000_000)),
    )
    await probe.expectShortTurns('the end of a connection in many channels', () =>
      backend.call('POST /disconnect', { conn_id: connId }),
    )
    await server.kill()
  })

  it('for private messages to many users, and for the state that is written anew', async () => {
    const { server, backend, probe } = await started()
    const users = times(USERS, (index) => `user ${index}`)
    for (let begin = 0; begin < USERS; begin += 100)
      await Promise.all(
        users
          .slice(begin, begin + 100)
          .map((user) => backend.connect(user, ['room'], { info: { include_users: false } })),
      )
    await backend.call('POST /channel_config', { room: settings })
    await probe.expectShortTurns('a private message', () =>
      backend.call('POST /message', [
        { user: 'a', pm_users: users, message: { text: 'x'.repeat(1000) } },
      ]),
    )
    // More than 16 MiB of changes: the state is written anew meanwhile.
    await probe.expectShortTurns('a long log', async () => {
      for (let number = 0; number < 40; number++) await backend.say('room', 'x'.repeat(500_000))
    })
    await server.kill()
  })
})
