import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Output } from '../../src/telemetry/output.ts'

const LINE = 'a line of the log\n'

/** A descriptor that accepts what the test allows. */
class Descriptor {
  readonly #taken: Buffer[] = []
  writes = 0
  #pending: { bytes: Buffer; done: (error: Error | null, written: number) => void } | undefined

  readonly writeSome: ConstructorParameters<typeof Output>[0] = (bytes, done) => {
    expect(this.#pending, 'two writes at a time').toBeUndefined()
    this.writes++
    this.#pending = { bytes, done }
  }

  get text(): string {
    return Buffer.concat(this.#taken).toString()
  }

  get isAsked(): boolean {
    return this.#pending !== undefined
  }

  /** Accepts the pending write, or its first `most` bytes. */
  take(most = Infinity): void {
    const { bytes, done } = this.#next()
    const taken = bytes.subarray(0, most)
    this.#taken.push(taken)
    done(null, taken.length)
  }

  takeAll(): void {
    while (this.#pending) this.take()
  }

  fail(code: string): void {
    this.#next().done(Object.assign(new Error(code), { code }), 0)
  }

  #next() {
    const pending = this.#pending
    if (!pending) throw new Error('nothing is written')
    this.#pending = undefined
    return pending
  }
}

describe('lines for a file descriptor', () => {
  let descriptor: Descriptor
  const open = (maxBytes = 10_000): Output => {
    descriptor = new Descriptor()
    return new Output(descriptor.writeSome, { maxBytes, notice: (count) => `${count} dropped\n` })
  }
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('are written at once, one write at a time, and together while they wait', () => {
    const output = open()
    for (const text of ['one\n', 'two\n', 'three\n']) output.write(text)
    descriptor.take()
    expect(descriptor.text).toBe('one\n')
    descriptor.takeAll()
    expect(descriptor.text).toBe('one\ntwo\nthree\n')
    expect(descriptor.writes).toBe(2)
  })

  it('come whole and once, however little is taken of a write', () => {
    const output = open()
    for (const text of ['äöü\n', 'two\n', 'three\n']) output.write(text)
    while (descriptor.isAsked) descriptor.take(3)
    expect(descriptor.text).toBe('äöü\ntwo\nthree\n')
  })

  it.each([
    ['ENOSPC', 500],
    ['EPIPE', 500],
    ['EAGAIN', 20],
    ['EIO', 500],
  ])('are written again after %s, from where it stopped', (code, delayMs) => {
    const output = open()
    output.write('one\n')
    output.write('two\n')
    descriptor.take(2)
    descriptor.fail(code)
    output.write('three\n')
    expect(descriptor.isAsked).toBe(false)
    vi.advanceTimersByTime(delayMs)
    descriptor.takeAll()
    expect(descriptor.text).toBe('one\ntwo\nthree\n')
  })

  it('are dropped and counted when too many wait; a notice has their place', () => {
    const output = open(LINE.length * 10)
    for (let count = 0; count < 14; count++) output.write(LINE)
    expect(output.dropped).toBe(4)
    descriptor.takeAll()
    output.write('after\n')
    descriptor.takeAll()
    expect(descriptor.text).toBe(`${LINE.repeat(10)}4 dropped\nafter\n`)
    expect(output.dropped).toBe(4)
  })

  it('are dropped without holes until half of the room is free', () => {
    const output = open(100)
    output.write('x'.repeat(98) + '\n')
    output.write('long, dropped\n')
    output.write('\n') // there would be room for it
    descriptor.take(40)
    output.write('\n')
    expect(output.dropped).toBe(3)
    descriptor.take(20)
    output.write('kept\n')
    descriptor.takeAll()
    expect(descriptor.text).toBe(`${'x'.repeat(98)}\n3 dropped\nkept\n`)
  })

  it('are dropped one by one if they are longer than all the room, and the next is written', () => {
    const output = open(100)
    output.write('x'.repeat(200) + '\n')
    output.write('next\n')
    descriptor.takeAll()
    expect(descriptor.text).toBe('1 dropped\nnext\n')
  })

  it('are flushed when all of them are written', async () => {
    const output = open()
    output.write('one\n')
    let isFlushed = false
    const flushed = output.flush(1000).then(() => (isFlushed = true))
    output.write('two\n')
    descriptor.take()
    await vi.advanceTimersByTimeAsync(10)
    expect(isFlushed).toBe(false)
    descriptor.takeAll()
    await flushed
    expect(vi.getTimerCount()).toBe(0)
  })

  it('are flushed at once if none wait', async () => {
    await open().flush(1000)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('are not waited for longer than told, and tried once more before', async () => {
    const output = open()
    output.write('one\n')
    descriptor.fail('ENOSPC')
    const flushed = output.flush(300)
    expect(descriptor.isAsked).toBe(true)
    await vi.advanceTimersByTimeAsync(300)
    await flushed
  })
})
