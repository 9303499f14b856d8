/** The process is killed at random moments under load. `npm run test:kills` does it 500 times. */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { closeStreams } from '../helpers/event-stream.ts'
import { Backend, pause, until } from '../helpers/http.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { closeClients } from '../helpers/websocket.ts'
import { count, follow, historyOf, post } from './load.ts'
import type { ReceivedEvent } from '../helpers/received.ts'
import type { Current, Follower, Transport } from './load.ts'

const KILLS = Number(process.env['KILLS'] ?? 60)
/** A server answers up to this many requests before it is killed. */
const MOST_ANSWERS = 30
const BACKENDS = 4
const TRANSPORTS: Transport[] = ['websocket', 'event stream', 'poll', 'websocket without cursor']

const directory = mkdtempSync(join(tmpdir(), 'channelstream-data-'))
afterAll(async () => {
  closeClients()
  closeStreams()
  await killProcesses()
  rmSync(directory, { recursive: true, force: true })
})

const SETTINGS = {
  data_dir: directory,
  channel_frames: 5000,
  max_history_size: 1_000_000,
  resume_window: 60,
  gc_conns_after: 60,
  data_sync: process.env['DATA_SYNC'] ?? 'interval',
}
const start = () => ServerProcess.start({ settings: SETTINGS })

const numberOf = ({ id }: ReceivedEvent): number => Number(id.split('-')[1])
const epochOf = ({ id }: ReceivedEvent): string | undefined => id.split('-')[0]
const textsOf = (events: readonly ReceivedEvent[]) =>
  events.filter(({ type }) => type === 'message').map(({ message }) => message?.text)
const repeatsIn = (texts: readonly unknown[]) =>
  texts.filter((text, index) => texts.indexOf(text) !== index)

const answersOf = (current: Current, count: number): Promise<void> => {
  const wanted = current.answers + count
  return until(() => current.answers >= wanted, 'answers')
}

/** What every client was promised, whatever its transport. */
function checkFollower({ name, events }: Follower, epoch: string | undefined): void {
  const numbers = events.map(numberOf)
  expect(
    numbers.filter((number, index) => index > 0 && number <= (numbers[index - 1] ?? 0)),
    `${name}: repeated or out of order`,
  ).toEqual([])
  expect([...new Set(events.map(epochOf))], `${name}: epochs`).toEqual([epoch])
  const others = events.filter(({ type }) => type !== 'message')
  expect(others, `${name}: presence and gaps`).toEqual([])
}

it(
  `loses, doubles and reorders nothing in ${KILLS} kills`,
  { timeout: KILLS * 20_000 },
  async () => {
    let server = await start()
    const current: Current = { server, isOver: false, answers: 0 }
    const backend = new Backend(server)
    const watching = await backend.connect('counter', ['room'])
    const connIds = TRANSPORTS.map(() => randomUUID())
    for (const [index, conn_id] of connIds.entries())
      await backend.connect(`user ${index}`, ['room'], { conn_id })
    // Everybody is there: nobody joins or parts from now on.
    const room = { store_history: true, history_size: 1_000_000, notify_presence: true }
    await backend.call('POST /channel_config', { room })

    const followers = connIds.map((connId, index) => {
      const transport = TRANSPORTS[index] as Transport
      return follow(current, connId, transport)
    })
    const names = Array.from({ length: BACKENDS }, (_, index) => `backend-${index}`)
    const posting = names.map((name) => post(current, 'room', name))
    const counting = count(current, 'counter', watching)
    for (let kill = 0; kill < KILLS; kill++) {
      await answersOf(current, Math.ceil(Math.random() * MOST_ANSWERS))
      // In the middle of something.
      await pause(Math.random() * 3)
      await server.kill()
      server = await start()
      current.server = server
    }
    await answersOf(current, MOST_ANSWERS)
    current.isOver = true
    const answered = await Promise.all(posting)
    const counted = await counting
    await Promise.all(followers.map(({ done }) => done))

    const history = await historyOf(server, 'room')
    const texts = textsOf(history)
    expect(repeatsIn(texts), 'doubled').toEqual([])
    for (const [index, name] of names.entries()) {
      const own = texts.filter((text) => text?.startsWith(`${name}-`))
      const mine = answered[index] ?? []
      // The last one may have been published without having been answered.
      expect(own.slice(0, mine.length), `${name}: lost or reordered`).toEqual(mine)
      expect(own.length - mine.length).toBeLessThanOrEqual(1)
      expect(mine.length).toBeGreaterThan(KILLS / 2)
    }
    const { users } = await new Backend(server).info()
    expect(counted).toBeGreaterThan(0)
    expect(users.find(({ user }) => user === 'counter')?.state).toEqual({ number: counted })
    for (const follower of followers) checkFollower(follower, epochOf(history[0] as ReceivedEvent))
    for (const { name, events } of followers.slice(0, 3)) {
      const got = textsOf(events)
      expect(got, `${name}: everything up to its last event`).toEqual(texts.slice(0, got.length))
    }
  },
)
