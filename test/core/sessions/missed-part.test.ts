/** Polls get what they missed in answers of limited size, one after the other. */
import { describe, expect, it } from 'vitest'
import { ArraySink } from '../../helpers/sink.ts'
import { ScriptRunner, inShort } from '../fixtures.ts'
import type { ConnId } from '../../../src/protocol/ids.ts'

const ROOM_FOR = 1000
/** Three messages with this text fit into an answer. */
const FILLING = 'x'.repeat(80)

class PollSink extends ArraySink {
  readonly maxAnswerBytes = ROOM_FOR
  isAnswered = false

  constructor() {
    super('poll')
  }

  answer(): void {
    this.isAnswered = true
    this.writable = false
  }
}

/** A client that polls, and tells in short what it has got. */
class Poller {
  #last: string | undefined

  constructor(
    private readonly at: ScriptRunner,
    private readonly connId: ConnId,
    private readonly hasCursor: boolean,
  ) {}

  async poll(whileOpen: () => Promise<void> = async () => {}) {
    const { at } = this
    const sink = new PollSink()
    const [epoch = '', n] = this.#last?.split('-') ?? []
    const cursor = this.hasCursor && n !== undefined ? { epoch, n: Number(n) } : undefined
    const attached = await at.hub.sessions.attach(this.connId, sink, cursor)
    if (attached.outcome !== 'attached') throw new Error(attached.outcome)
    await whileOpen()
    await at.clock.endTurn()
    at.hub.sessions.lost(attached.connection, sink, 'answered')
    const bytes = sink.events.reduce((sum, event) => sum + JSON.stringify(event).length, 0)
    this.#last = sink.events.at(-1)?.id ?? this.#last
    const heard = sink.events.map((event) => inShort(event).replace(/x+/, ''))
    return { heard, bytes, isAnswered: sink.isAnswered }
  }

  /** Polls until an answer is not given at once. */
  async pollAll(): Promise<string[][]> {
    const answers: string[][] = []
    for (;;) {
      const { heard, isAnswered } = await this.poll()
      answers.push(heard)
      if (!isAnswered) return answers
    }
  }
}

const named = (...names: string[]): string[] => names.map((name) => name + FILLING)
const late = (...names: string[]): string[] => names.map((name) => `${name} (late)`)

describe.each([false, true])('a poll of a client that sends a cursor (%s)', (hasCursor) => {
  async function enter(channels: string[], options = {}, wishes = {}) {
    const at = new ScriptRunner(options)
    const poller = new Poller(at, await at.connect('ann', channels, wishes), hasCursor)
    return { at, poller }
  }

  it('gets what fits at once, and each later one goes on from there', async () => {
    const { at, poller } = await enter(['room'])
    await at.say('room', named('1', '2', '3', '4', '5', '6', '7', '8'))
    const first = await poller.poll()
    expect(first).toMatchObject({ heard: late('1', '2', '3'), isAnswered: true })
    expect(first.bytes).toBeLessThanOrEqual(ROOM_FOR)
    expect(await poller.pollAll()).toEqual([late('4', '5', '6'), late('7', '8')])
    expect(await poller.pollAll()).toEqual([[]])
  })

  it('gets one event, however large it is', async () => {
    const { at, poller } = await enter(['room'])
    await at.say('room', ['x'.repeat(5 * ROOM_FOR), '2', 'x'.repeat(2 * ROOM_FOR)])
    expect(await poller.pollAll()).toEqual([[' (late)'], late('2'), [' (late)']])
  })

  it('gets all that fits before it is answered, also what comes meanwhile', async () => {
    const { at, poller } = await enter(['room'])
    await at.say('room', named('1'))
    const { heard, isAnswered } = await poller.poll(() => at.saySoon('room', '2'))
    expect({ heard, isAnswered }).toEqual({ heard: [...late('1'), '2'], isAnswered: false })
  })

  it('gets nothing after it is answered: that comes later, in order', async () => {
    const { at, poller } = await enter(['room'])
    await at.say('room', named('1', '2', '3', '4'))
    const { heard } = await poller.poll(() => at.saySoon('room', '5'))
    expect(heard).toEqual(late('1', '2', '3'))
    expect(await poller.pollAll()).toEqual([late('4', '5')])
  })

  it('gets what was said while it was being caught up, in its place', async () => {
    const { at, poller } = await enter(['room'])
    await at.say('room', named('1', '2', '3', '4'))
    const answer = at.store.hold('missed')
    const first = poller.poll()
    await at.clock.endTurn()
    await at.say('room', '5')
    answer()
    expect((await first).heard).toEqual(late('1', '2', '3'))
    expect(await poller.pollAll()).toEqual([late('4', '5')])
  })

  it('is not answered because of events that it may not see', async () => {
    const { at, poller } = await enter(['room'], { channelFrames: 100 })
    const secrets = named(...Array.from({ length: 18 }, (_, index) => `secret ${index}`))
    await at.say('room', secrets, { exclude_users: ['ann'] })
    await at.say('room', ['1'])
    await at.say('room', secrets, { exclude_users: ['ann'] })
    expect(await poller.pollAll()).toEqual([late('1')])
    await at.say('room', secrets, { exclude_users: ['ann'] })
    expect(await poller.pollAll()).toEqual([[]])
  })

  it('gets a gap once, before what follows it', async () => {
    const { at, poller } = await enter(['room'], { channelFrames: 6 })
    await at.say('room', 'seen')
    await poller.poll()
    await at.say('room', named('1', '2', '3', '4', '5', '6', '7', '8'))
    expect(await poller.pollAll()).toEqual([
      ['gap: room', ...late('3', '4', '5')],
      late('6', '7', '8'),
    ])
  })

  it('gets the gap of a channel with the part that it ends in', async () => {
    const configs = { channel_configs: { quiet: { store_frames: false } } }
    const { at, poller } = await enter(['room', 'quiet'], {}, configs)
    await at.say('room', 'seen')
    await poller.poll()
    await at.say('room', named('1', '2', '3', '4'))
    await at.say('quiet', 'lost')
    await at.say('room', named('5', '6', '7', '8'))
    expect(await poller.pollAll()).toEqual([
      late('1', '2', '3'),
      ['gap: quiet', ...late('4', '5', '6')],
      late('7', '8'),
    ])
  })

  it('is no slow consumer, whatever happens while its answer is on its way', async () => {
    const { at, poller } = await enter(['room'], { channelFrames: 100 })
    await at.say('room', named('1', '2', '3', '4'))
    const more = Array.from({ length: 20 }, (_, index) => `more ${index}`)
    await poller.poll(() => at.saySoon('room', named(...more)))
    expect(at.hub.traffic().slow).toBe(0)
    expect((await poller.pollAll()).flat()).toEqual(late('4', ...more))
  })
})
