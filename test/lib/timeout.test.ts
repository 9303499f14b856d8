import { describe, expect, it } from 'vitest'
import { withTimeout } from '../../src/lib/timeout.ts'

const late = (): Error => new Error('too late')

describe('withTimeout', () => {
  it('settles like the work', async () => {
    expect(await withTimeout(Promise.resolve(1), 60_000, late)).toBe(1)
    await expect(withTimeout(Promise.reject(new Error('no')), 60_000, late)).rejects.toThrow('no')
  })

  it('rejects when the work takes too long, and handles what becomes of it later', async () => {
    let fail!: (error: Error) => void
    const work = new Promise<never>((_, reject) => (fail = reject))
    await expect(withTimeout(work, 1, late)).rejects.toThrow('too late')
    // An unhandled rejection would fail the test run.
    fail(new Error('afterwards'))
    await new Promise((resolve) => void setImmediate(resolve))
  })
})
