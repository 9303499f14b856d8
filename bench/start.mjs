/**
 * Measures how long a server with a `data_dir` takes to start, and its memory then:
 * `npm run bench:start [-- events [connections [channels]]]`.
 *
 * Fills a directory by the store itself: each connection has a user of its own and is in two channels. Then starts the
 * server from it several times, until it listens.
 */
import { randomUUID } from 'node:crypto'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../dist/lib/clock.js'
import { ChannelSettings } from '../dist/protocol/requests.js'
import { DiskStore } from '../dist/store/disk/store.js'
import { residentKib } from './lib/processes.mjs'
import { startChannelstream } from './peers/channelstream.mjs'

const given = process.argv.slice(2).map(Number)
const [events = 1_000_000, connections = 100_000, channels = 10_000] = given
const ROUNDS = 3
/** After so many calls, waits until they are committed. */
const AT_ONCE = 500
const FOREVER_MS = 1e9

const directory = await mkdtemp(join(tmpdir(), 'channelstream-bench-'))
try {
  await fill()
  const sizes = await Promise.all(
    (await readdir(directory)).map(async (name) => (await stat(join(directory, name))).size),
  )
  const bytes = sizes.reduce((sum, size) => sum + size, 0)
  console.log(
    `${events} events, ${connections} connections, ${channels} channels: ${inMb(bytes)} MB`,
  )
  for (let round = 1; round <= ROUNDS; round++) {
    const began = performance.now()
    const settings = { 'data-dir': directory, 'resume-window': 3600 }
    const server = await startChannelstream({ core: 1 }, settings)
    const ms = Math.round(performance.now() - began)
    console.log(`start ${round}: ${ms} ms, ${inMb(residentKib([server.pid]) * 1024)} MB of memory`)
    await server.stop()
  }
} finally {
  await rm(directory, { recursive: true, force: true })
}

function inMb(bytes) {
  return Math.round(bytes / 1e6)
}

async function fill() {
  const store = await DiskStore.open({
    ...{ clock: systemClock, directory, sync: 'off' },
    ...{ streamWaitMs: FOREVER_MS, pollWaitMs: FOREVER_MS },
    ...{ gcUsersMs: FOREVER_MS, gcChannelsMs: FOREVER_MS },
    ...{ userFrames: 100, channelFrames: 100, maxStateBytes: 16_384, maxRemovals: 1000 },
    idempotency: { windowMs: 10_000, maxBytes: 1e6 },
    ...{ onAway: fail, onBack: () => {}, onFault: fail, onNote: console.warn },
  })
  const nameOf = (number) => `channel-${number % channels}`
  const own = ChannelSettings.parse({ store_history: true, history_size: 1000 })
  const settings = new Map(Array.from({ length: channels }, (_, number) => [nameOf(number), own]))
  await store.configure(settings)
  await each(connections, (number) =>
    store.connect({
      ...{ connId: randomUUID(), user: `user-${number}`, publicKeys: ['color'] },
      ...{ freshState: {}, state: { color: 'red', number }, waitMs: FOREVER_MS },
      ...{ channels: [nameOf(number), nameOf(number * 7 + 1)], settings },
    }),
  )
  await each(events, (number) => store.publish([messageIn(nameOf(number), number)]))
  // The first may join one that has begun before.
  await store.compact()
  await store.compact()
  await store.stop()
}

async function each(count, call) {
  for (let number = 0; number < count; number++) {
    const called = call(number)
    if (number % AT_ONCE === 0) await called
  }
}

function messageIn(channel, number) {
  const timestamp = `${new Date().toISOString().slice(0, -1)}000`
  const message = { text: `hello, this is a message of an ordinary length, number ${number}` }
  const user = `user-${number % connections}`
  const body = { type: 'message', uuid: randomUUID(), channel, timestamp, user, message }
  const delivery = { pmUsers: [], excludeUsers: [], noHistory: false }
  return { body: { ...body, edited: null }, delivery }
}

function fail(error) {
  throw error
}
