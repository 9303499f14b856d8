/** Concurrent requests on a store with delayed answers, like a store on a network. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Hub } from '../../src/core/hub.ts'
import * as Requests from '../../src/protocol/requests.ts'
import { MemoryStore } from '../../src/store/memory/store.ts'
import { ManualClock } from '../helpers/clock.ts'
import { neverYield } from '../helpers/paged-answers.ts'
import { ArraySink } from '../helpers/sink.ts'
import { CHANNELS, SLOTS, USERS, connIdOf, runs } from './operations.ts'
import { numberOf } from './transcript.ts'
import type { LiveConnection } from '../../src/core/delivery/connection.ts'
import type { Ending } from '../../src/core/sessions/sessions.ts'
import type { ChannelName, ConnId } from '../../src/protocol/ids.ts'
import type { Store } from '../../src/store/store.ts'

type Action = 'connect' | 'subscribe' | 'unsubscribe' | 'disconnect' | 'open' | 'close' | 'post'

/** Few connections and channels, so that requests affect each other. */
const step = fc.record({
  action: fc.constantFrom<Action>(
    ...(['connect', 'subscribe', 'unsubscribe', 'disconnect'] as const),
    ...(['open', 'open', 'close', 'post', 'post'] as const),
  ),
  slot: fc.constantFrom<0 | 1>(0, 0, 0, 1),
  channel: fc.constantFrom(...CHANNELS.slice(0, 2)),
  hasLeft: fc.boolean(),
})
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

/** A client that may disconnect while it is still being attached. */
class RacingClient extends ArraySink {
  connection: LiveConnection | undefined
  gone: Ending | undefined

  constructor(
    readonly connId: string,
    private readonly hub: Hub,
  ) {
    super()
  }

  async open(): Promise<void> {
    const result = await this.hub.sessions.attach(this.connId as ConnId, this)
    if (result.outcome === 'unknown') this.close({ code: 1000, text: 'unknown' })
    if (result.outcome !== 'attached') return
    this.connection = result.connection
    if (this.gone) this.go(this.gone)
  }

  go(ending: Ending): void {
    this.gone = ending
    if (this.connection) this.hub.sessions.lost(this.connection, this, ending)
  }

  get isOpen(): boolean {
    return !this.gone && !this.closed && !this.isAbandoned
  }
}

/** Calls take effect at once; the scheduler decides when their answers arrive. */
function answeringLate(
  store: MemoryStore,
  scheduler: fc.Scheduler,
  onLeave: (connId: string) => void,
): Store {
  return new Proxy<Store>(store, {
    get(_target, key) {
      const member: unknown = Reflect.get(store, key, store)
      if (typeof member !== 'function') return member
      return (...args: unknown[]) => {
        const answer: unknown = member.apply(store, args)
        if (key === 'drop' || key === 'leave') onLeave(String(args[0]))
        if (String(key).startsWith('on')) return answer
        // Only settled promises are scheduled: the scheduler waits for each and runs nothing else meanwhile.
        return Promise.resolve(answer).then((given) => scheduler.schedule(Promise.resolve(given)))
      }
    },
  })
}

/** Each announcement gets a turn of its own, at a time that the scheduler chooses. */
function slowTurns(scheduler: fc.Scheduler) {
  let now = 0
  const soon = (run: () => void): void =>
    void scheduler.schedule(Promise.resolve()).then(() => run())
  return { now: () => (now += 1000), soon }
}

class Race {
  readonly clock = new ManualClock()
  readonly store: MemoryStore
  readonly hub: Hub
  readonly clients: RacingClient[] = []
  /** Messages that each connection should have received since it last left any channel. */
  readonly owed = new Map<string, string[]>()

  constructor(private readonly scheduler: fc.Scheduler) {
    this.store = new MemoryStore(this.clock, OPTIONS, slowTurns(scheduler))
    const onFault = (error: unknown) => expect.fail(String(error))
    const late = answeringLate(this.store, scheduler, (connId) => this.#left(connId))
    this.hub = new Hub(late, this.clock, { ...OPTIONS, maybeYield: neverYield, onFault })
    this.hub.start()
  }

  /** Starts the steps without waiting for earlier answers. */
  async run(steps: readonly Step[]): Promise<void> {
    const running = steps.map(async (step) => {
      await this.scheduler.schedule(Promise.resolve(step.action))
      await this.#start(step).catch(() => undefined)
    })
    await this.settle()
    await Promise.all(running)
  }

  async settle(): Promise<void> {
    await this.scheduler.waitIdle()
    await this.clock.endTurn()
    await this.scheduler.waitIdle()
  }

  /** Returns the connections that receive a message posted now, sorted. */
  async probe(channel: ChannelName): Promise<string[]> {
    const uuid = crypto.randomUUID()
    const posted = this.#post(channel, uuid)
    await this.settle()
    await posted
    return this.clients
      .filter(({ events }) => events.some((event) => 'uuid' in event && event.uuid === uuid))
      .map(({ connId }) => connId)
      .sort()
  }

  /** Sorted. */
  membersOf(channel: ChannelName): string[] {
    return SLOTS.map(connIdOf).filter((connId) =>
      this.store.leave(connId as ConnId, [])?.channels.includes(channel),
    )
  }

  async #post(channel: ChannelName, uuid = crypto.randomUUID()): Promise<void> {
    for (const connId of this.membersOf(channel))
      this.owed.set(connId, [...(this.owed.get(connId) ?? []), uuid])
    const request = [{ user: USERS[0], channel, uuid, message: {} }]
    await this.hub.postMessages(Requests.MessagesRequest.parse(request))
  }

  #left(connId: string): void {
    this.owed.delete(connId)
  }

  async #start({ action, slot, channel, hasLeft }: Step): Promise<unknown> {
    const { hub } = this
    const who = { conn_id: connIdOf(slot), channels: [channel] }
    switch (action) {
      case 'connect':
        return hub.connect(Requests.ConnectRequest.parse({ ...who, username: USERS[slot] }))
      case 'subscribe':
        return hub.subscribe(Requests.SubscribeRequest.parse(who))
      case 'unsubscribe':
        return hub.unsubscribe(Requests.UnsubscribeRequest.parse(who))
      case 'disconnect':
        return hub.disconnect(who.conn_id as ConnId)
      case 'open': {
        const client = new RacingClient(who.conn_id, hub)
        this.clients.push(client)
        return client.open()
      }
      case 'close':
        return this.#newest(slot)?.go(hasLeft ? 'left' : 'broke-off')
      case 'post':
        return this.#post(channel as ChannelName)
      default:
        return action satisfies never
    }
  }

  #newest(slot: number): RacingClient | undefined {
    return this.clients.findLast(({ connId, isOpen }) => connId === connIdOf(slot) && isOpen)
  }
}

const OPTIONS = {
  ...{ gcConnsMs: 15_000, resumeWindowMs: 15_000, gcUsersMs: 60_000, gcChannelsMs: 60_000 },
  ...{ channelFrames: 50, userFrames: 50, maxOutboxBytes: 100_000, heartbeatIntervalMs: 5_000 },
  ...{
    maxMessagesPerRequest: 100,
    maxUsersPerMessage: 100,
    maxChannelsPerRequest: 100,
    maxChannelsPerMessage: 100,
    maxCountsPerRequest: 100,
    maxHistorySize: 100,
  },
  ...{ maxStateBytes: 10_000, presenceListLimit: 100, maxRemovals: 100 },
}

function checkReceived({ events }: RacingClient): void {
  const numbers = events.map(numberOf)
  expect(numbers, 'ids grow').toEqual([...new Set(numbers)].sort((one, other) => one - other))
}

async function checkListeners(race: Race): Promise<void> {
  const open = race.clients.filter(({ isOpen }) => isOpen)
  const listening = new Set(open.map(({ connId }) => connId))
  for (const channel of CHANNELS.slice(0, 2) as unknown as ChannelName[]) {
    const members = race.membersOf(channel).filter((connId) => listening.has(connId))
    expect(await race.probe(channel), `told in ${channel}`).toEqual(members)
  }
  const zombies = open.filter(({ connId }) => !race.store.hasConnection(connId as ConnId))
  expect(
    zombies.map(({ connId }) => connId),
    'open, but unknown',
  ).toEqual([])
  for (const connId of listening) {
    const mine = race.clients.filter((client) => client.connId === connId)
    const got = mine.flatMap(({ events }) => events.map((event) => 'uuid' in event && event.uuid))
    expect(got, `missing on ${connId}`).toEqual(expect.arrayContaining(race.owed.get(connId) ?? []))
  }
}

describe('a hub whose requests overtake each other', () => {
  it('tells whoever is in a channel, once, and nobody else', { timeout: 90_000 }, () =>
    fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.array(step, { minLength: 1, maxLength: 6 }), { maxLength: 6, size: 'max' }),
        async (scheduler, turns) => {
          const race = new Race(scheduler)
          for (const steps of turns) await race.run(steps)
          race.clients.forEach(checkReceived)
          await checkListeners(race)
        },
      ),
      { numRuns: runs(500) },
    ),
  )
})
