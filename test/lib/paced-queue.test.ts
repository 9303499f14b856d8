import { beforeEach, describe, expect, it } from 'vitest'
import { PacedQueue } from '../../src/lib/paced-queue.ts'

/** A manual clock. Turns end one by one. */
class Clock {
  time = 0
  #soon: (() => void)[] = []

  now(): number {
    return this.time
  }

  soon(run: () => void): void {
    this.#soon.push(run)
  }

  endTurn(): void {
    for (const run of this.#soon.splice(0)) run()
  }

  get asked(): number {
    return this.#soon.length
  }
}

describe('a paced queue', () => {
  let clock: Clock
  let queue: PacedQueue
  let done: string[]
  const run = (name: string, ms = 0): void =>
    queue.run(() => {
      done.push(name)
      clock.time += ms
    })

  beforeEach(() => {
    clock = new Clock()
    queue = new PacedQueue(clock)
    done = []
  })

  it('runs what is short at once', () => {
    for (const name of ['a', 'b', 'c']) run(name, 2)
    expect(done).toEqual(['a', 'b', 'c'])
    expect(queue.drained()).toBeUndefined()
    expect(clock.asked).toBe(1)
  })

  it('runs the rest in the next turns, in order, once those of a turn took long', () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) run(name, 5)
    expect(done).toEqual(['a', 'b'])
    clock.endTurn()
    expect(done).toEqual(['a', 'b', 'c', 'd'])
    run('f')
    expect(done).toEqual(['a', 'b', 'c', 'd'])
    clock.endTurn()
    expect(done).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
  })

  it('runs one task a turn at least, however long they are', () => {
    for (const name of ['a', 'b', 'c']) run(name, 1000)
    for (const known of [['a'], ['a', 'b'], ['a', 'b', 'c']]) {
      expect(done).toEqual(known)
      clock.endTurn()
    }
  })

  it('counts the time of each turn by itself', () => {
    for (const name of ['a', 'b', 'c']) {
      run(name, 7)
      clock.time += 100
      clock.endTurn()
    }
    expect(done).toEqual(['a', 'b', 'c'])
  })

  it('runs what tasks ask for behind what waits', () => {
    run('a', 10)
    queue.run(() => {
      done.push('b')
      run('d')
    })
    run('c')
    clock.endTurn()
    expect(done).toEqual(['a', 'b', 'c', 'd'])
  })

  it('tells when everything has run that was asked for before, and not what comes later', async () => {
    const told: string[] = []
    run('a', 10)
    run('b', 10)
    void queue.drained()?.then(() => told.push(...done))
    run('c', 10)
    clock.endTurn()
    await Promise.resolve()
    expect(told).toEqual([])
    clock.endTurn()
    await Promise.resolve()
    expect(told).toEqual(['a', 'b', 'c'].slice(0, told.length))
    expect(told.slice(0, 2)).toEqual(['a', 'b'])
  })

  it('goes on behind a task that throws', () => {
    run('a', 10)
    queue.run(() => {
      throw new Error('broken')
    })
    run('b')
    expect(() => clock.endTurn()).toThrow('broken')
    clock.endTurn()
    expect(done).toEqual(['a', 'b'])
  })

  it('asks for no turn while there is nothing to do', () => {
    run('a')
    clock.endTurn()
    expect(clock.asked).toBe(0)
  })
})
