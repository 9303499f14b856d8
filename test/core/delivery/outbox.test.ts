import { describe, expect, it } from 'vitest'
import { Batch } from '../../../src/core/delivery/batch.ts'
import { LiveConnection } from '../../../src/core/delivery/connection.ts'
import { Outbox } from '../../../src/core/delivery/outbox.ts'
import { connIdOf, userName } from '../../contract/fixtures.ts'
import { ManualClock } from '../../helpers/clock.ts'
import { ArraySink } from '../../helpers/sink.ts'
import { outgoing } from '../fixtures.ts'
import type { OutgoingEvent } from '../../../src/core/delivery/outgoing-event.ts'

/** Records batches, and their `after`. */
class BatchSink extends ArraySink {
  readonly batches: Batch[] = []
  readonly afters: number[] = []

  override send(batch: Batch, after = Number.NaN): void {
    this.batches.push(batch)
    this.afters.push(after)
  }

  get numbers(): number[][] {
    return this.batches.map((batch) => batch.events().map(({ n }) => n))
  }
}

/** Each write takes time. */
class SlowSink extends BatchSink {
  constructor(private readonly passTime: () => void) {
    super()
  }

  override send(batch: Batch, after?: number): void {
    super.send(batch, after)
    this.passTime()
  }
}

/** Ends one turn at a time, even if that requests the next one. */
class TurnByTurn extends ManualClock {
  time = 100
  #tasks: (() => void)[] = []

  override now(): number {
    return this.time
  }

  override soon(run: () => void): void {
    this.#tasks.push(run)
  }

  turn(): void {
    for (const run of this.#tasks.splice(0)) run()
  }

  get isIdle(): boolean {
    return this.#tasks.length === 0
  }
}

const JSON_BYTES = '{"n":1}'.length

function open(maxBytes = 10 * JSON_BYTES) {
  const clock = new ManualClock()
  const givenUp: LiveConnection[] = []
  const outbox = new Outbox(clock, maxBytes, (connection) => givenUp.push(connection))
  return { clock, outbox, givenUp }
}

function connectionTo(sink: BatchSink | undefined, id = 1): LiveConnection {
  const connection = new LiveConnection(connIdOf(id), userName('ann'))
  connection.sink = sink
  return connection
}

describe('the outbox', () => {
  it('writes nothing before the end of the turn, then all in one write and in order', async () => {
    const { clock, outbox } = open()
    const sink = new BatchSink()
    const connection = connectionTo(sink)
    for (const n of [1, 2, 3]) outbox.push(connection, outgoing(n))
    expect(sink.numbers).toEqual([])
    await clock.endTurn()
    expect(sink.numbers).toEqual([[1, 2, 3]])
    await clock.endTurn()
    expect(sink.numbers).toHaveLength(1)
  })

  it('writes once in every turn that brings something', async () => {
    const { clock, outbox } = open()
    const sink = new BatchSink()
    const connection = connectionTo(sink)
    for (const n of [1, 2]) {
      outbox.push(connection, outgoing(n))
      await clock.endTurn()
    }
    expect(sink.numbers).toEqual([[1], [2]])
  })

  it('hands the same batch to connections that get the same', async () => {
    const { clock, outbox } = open()
    const sinks = [new BatchSink(), new BatchSink()]
    const connections = sinks.map((sink, id) => connectionTo(sink, id))
    for (const event of [outgoing(1), outgoing(2)])
      for (const connection of connections) outbox.push(connection, event)
    await clock.endTurn()
    expect(sinks[0]?.batches).toHaveLength(1)
    expect(sinks[0]?.batches[0]).toBe(sinks[1]?.batches[0])
  })

  it('writes to each of many, but those that cannot take it', async () => {
    const { clock, outbox } = open()
    const sinks = Array.from({ length: 50 }, () => new BatchSink())
    const connections = sinks.map((sink, id) => connectionTo(sink, id))
    const full = sinks.filter((_, id) => id % 3 === 0)
    for (const sink of full) sink.writable = false
    for (const connection of connections) outbox.push(connection, outgoing(1))
    await clock.endTurn()
    expect(sinks.filter(({ numbers }) => numbers.length === 0)).toEqual(full)
    for (const sink of full) sink.writable = true
    for (const connection of connections) outbox.flush(connection)
    expect(sinks.map(({ numbers }) => numbers)).toEqual(sinks.map(() => [[1]]))
  })

  it('asks for the end of the turn once, for all connections', async () => {
    const { clock, outbox } = open()
    let asked = 0
    const soon = clock.soon.bind(clock)
    clock.soon = (run) => {
      asked++
      soon(run)
    }
    for (const id of [1, 2, 3]) outbox.push(connectionTo(new BatchSink(), id), outgoing(1))
    expect(asked).toBe(1)
    await clock.endTurn()
  })

  it('waits after a long flush, turn by turn, and then writes together what has come meanwhile', () => {
    const clock = new TurnByTurn()
    const outbox = new Outbox(clock, 1000, () => {})
    const sink = new SlowSink(() => (clock.time += 8))
    const connection = connectionTo(sink)
    outbox.push(connection, outgoing(1))
    clock.turn()
    expect(sink.numbers).toEqual([[1]])
    outbox.push(connection, outgoing(2))
    clock.turn()
    clock.time += 1.9
    outbox.push(connection, outgoing(3))
    clock.turn()
    expect(sink.numbers).toEqual([[1]])
    clock.time += 0.1
    clock.turn()
    expect(sink.numbers).toEqual([[1], [2, 3]])
    expect(clock.isIdle).toBe(true)
  })

  describe('that has many to write to', () => {
    /** Each write takes a millisecond. */
    function openSlow(count: number) {
      const clock = new TurnByTurn()
      const outbox = new Outbox(clock, 1000, () => {})
      const sinks = Array.from({ length: count }, () => new SlowSink(() => clock.time++))
      const connections = sinks.map((sink, id) => connectionTo(sink, id))
      const push = (n: number) => connections.forEach((each) => outbox.push(each, outgoing(n)))
      const written = () => sinks.reduce((sum, { numbers }) => sum + numbers.length, 0)
      const runOut = (): void => {
        for (; !clock.isIdle; clock.time += 1000) clock.turn()
      }
      return { clock, outbox, sinks, push, written, runOut }
    }

    it('leaves the event loop to others after a while, and goes on in the next turn', () => {
      const { clock, sinks, push, written } = openSlow(60)
      push(1)
      const longest = []
      while (!clock.isIdle) {
        const before = written()
        clock.turn()
        longest.push(written() - before)
      }
      expect(sinks.map(({ numbers }) => numbers)).toEqual(sinks.map(() => [[1]]))
      expect(Math.max(...longest)).toBeLessThanOrEqual(32)
      expect(longest.length).toBeGreaterThan(1)
    })

    it('takes along what comes meanwhile for those whom it has not been to yet', () => {
      const { clock, sinks, push, runOut } = openSlow(60)
      push(1)
      clock.turn()
      push(2)
      runOut()
      expect(sinks.every(({ numbers }) => String(numbers.flat()) === '1,2')).toBe(true)
      expect(sinks.at(0)?.numbers).toEqual([[1], [2]])
      expect(sinks.at(-1)?.numbers).toEqual([[1, 2]])
    })

    it('keeps its distance from the next one by what it took in all', () => {
      const { clock, sinks, push, written } = openSlow(60)
      push(1)
      while (written() < 60) {
        clock.time += 1000 // for others
        clock.turn()
      }
      push(2)
      clock.time += 14
      clock.turn()
      expect(sinks.at(0)?.numbers).toEqual([[1]])
      clock.time += 1
      clock.turn()
      expect(sinks.at(0)?.numbers).toEqual([[1], [2]])
    })

    it('passes over those that are gone by then', () => {
      const { clock, outbox, sinks, runOut } = openSlow(0)
      const here = Array.from({ length: 60 }, (_, id) => {
        const sink = new SlowSink(() => clock.time++)
        sinks.push(sink)
        return connectionTo(sink, id)
      })
      for (const each of here) outbox.push(each, outgoing(1))
      clock.turn()
      for (const each of here) Object.assign(each, { sink: undefined, pending: Batch.empty })
      runOut()
      expect(sinks.filter(({ numbers }) => numbers.length > 0).length).toBeLessThanOrEqual(32)
    })
  })

  it('knows which event a connection was handed last, and tells which was the last before', async () => {
    const { clock, outbox } = open()
    const sink = new BatchSink()
    const connection = connectionTo(sink)
    connection.cursor = 3
    for (const n of [5, 8]) outbox.push(connection, outgoing(n))
    expect(connection.cursor).toBe(3)
    await clock.endTurn()
    expect(connection.cursor).toBe(8)
    outbox.push(connection, outgoing(9))
    await clock.endTurn()
    expect(sink.afters).toEqual([3, 8])
  })

  it('keeps what a sink cannot take, and adds to it, until the network has taken the rest', async () => {
    const { clock, outbox } = open()
    const sink = new BatchSink()
    const connection = connectionTo(sink)
    sink.writable = false
    for (const n of [1, 2]) {
      outbox.push(connection, outgoing(n))
      await clock.endTurn()
    }
    expect(sink.numbers).toEqual([])
    expect(connection.cursor).toBe(0)
    sink.writable = true
    outbox.flush(connection)
    expect(sink.numbers).toEqual([[1, 2]])
    outbox.flush(connection)
    expect(sink.numbers).toHaveLength(1)
    outbox.push(connection, outgoing(3))
    await clock.endTurn()
    expect(sink.numbers).toEqual([[1, 2], [3]])
  })

  it('gives up a connection that has more waiting than the limit, not one that has just as much', async () => {
    const { clock, outbox, givenUp } = open(3 * JSON_BYTES)
    const sink = new BatchSink()
    const connection = connectionTo(sink)
    sink.writable = false
    for (const n of [1, 2, 3]) outbox.push(connection, outgoing(n))
    await clock.endTurn()
    expect(givenUp).toEqual([])
    outbox.push(connection, outgoing(4))
    await clock.endTurn()
    expect(givenUp).toEqual([connection])
  })

  it('does not give up a connection whose sink can take it, however much there is in one turn', async () => {
    const { clock, outbox, givenUp } = open(JSON_BYTES)
    const sink = new BatchSink()
    const connection = connectionTo(sink)
    for (const n of [1, 2, 3]) outbox.push(connection, outgoing(n))
    await clock.endTurn()
    expect(givenUp).toEqual([])
    expect(sink.numbers).toEqual([[1, 2, 3]])
  })

  it('counts from nothing again after a write', async () => {
    const { clock, outbox, givenUp } = open(2 * JSON_BYTES)
    const sink = new BatchSink()
    const connection = connectionTo(sink)
    for (const n of [1, 2]) outbox.push(connection, outgoing(n))
    await clock.endTurn()
    sink.writable = false
    for (const n of [3, 4]) outbox.push(connection, outgoing(n))
    await clock.endTurn()
    expect(givenUp).toEqual([])
  })

  it('leaves at the gate what comes while the connection is being caught up', async () => {
    const { clock, outbox } = open()
    const sink = new BatchSink()
    const connection = connectionTo(sink)
    const gate: OutgoingEvent[] = []
    connection.gate = gate
    outbox.push(connection, outgoing(1))
    await clock.endTurn()
    expect(sink.numbers).toEqual([])
    expect(gate.map(({ n }) => n)).toEqual([1])
  })

  it('keeps nothing for a connection without a sink', async () => {
    const { clock, outbox } = open()
    const connection = connectionTo(undefined)
    outbox.push(connection, outgoing(1))
    await clock.endTurn()
    expect(connection.pending).toBe(Batch.empty)
    expect(connection.cursor).toBe(0)
  })

  it('writes to the others when one was closed within the turn', async () => {
    const { clock, outbox } = open()
    const sinks = [new BatchSink(), new BatchSink()]
    const connections = sinks.map((sink, id) => connectionTo(sink, id))
    for (const connection of connections) outbox.push(connection, outgoing(1))
    const [closed] = connections
    if (closed) Object.assign(closed, { sink: undefined, pending: Batch.empty })
    await clock.endTurn()
    expect(sinks.map(({ numbers }) => numbers)).toEqual([[], [[1]]])
  })
})
