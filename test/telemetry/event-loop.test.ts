import { describe, expect, it, onTestFinished } from 'vitest'
import { measureDelay } from '../../src/telemetry/event-loop.ts'
import { pause, until } from '../helpers/http.ts'

/** Blocks the event loop. */
function block(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

describe('the delay of the event loop', () => {
  it('is what somebody has held it up', async () => {
    const meter = measureDelay()
    onTestFinished(() => meter.stop())
    await until(async () => {
      await pause(50)
      block(150)
      await pause(25)
      return meter.read() > 100
    }, 'the delay to be seen')
  })

  it('is none as long as nothing was measured', () => {
    const meter = measureDelay()
    onTestFinished(() => meter.stop())
    expect(meter.read()).toBe(0)
  })
})
