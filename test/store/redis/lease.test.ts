import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { afterSilence } from '../../../src/store/redis/lease.ts'

describe('silence', () => {
  const onSilence = vi.fn<() => void>()
  beforeEach(() => void onSilence.mockReset())
  afterEach(() => void vi.useRealTimers())

  it('is told after its time, once', () => {
    vi.useFakeTimers()
    afterSilence(8_000, onSilence)
    vi.advanceTimersByTime(7_999)
    expect(onSilence).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(onSilence).toHaveBeenCalledTimes(1)
    vi.advanceTimersByTime(100_000)
    expect(onSilence).toHaveBeenCalledTimes(1)
  })

  it('is not told after an answer, whenever that comes', () => {
    vi.useFakeTimers()
    for (const ms of [0, 1, 4_000, 7_999]) {
      const cancel = afterSilence(8_000, onSilence)
      vi.advanceTimersByTime(ms)
      cancel()
      vi.advanceTimersByTime(100_000)
    }
    expect(onSilence).not.toHaveBeenCalled()
  })

  it('is not what a process heard that was busy: what came meanwhile is read first', async () => {
    const cancel = afterSilence(80, onSilence)
    // Input from the network is read after the timers of a turn.
    const answered = new Promise<void>((resolve) => {
      setTimeout(() => {
        setImmediate(() => {
          cancel()
          resolve()
        })
        beBusy(300)
      }, 1)
    })
    await answered
    expect(onSilence).not.toHaveBeenCalled()
  })
})

function beBusy(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}
