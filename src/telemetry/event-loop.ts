import { monitorEventLoopDelay } from 'node:perf_hooks'

/** How often the event loop is looked at: fifty timers a second cost a few tenths of a thousandth of a core. */
const RESOLUTION_MS = 20

export interface DelayMeter {
  /** Milliseconds that the event loop was late since the last call, 99 times of 100 at most. */
  read(): number
  stop(): void
}

/** Measures at once; holds a timer of the system until it is stopped. */
export function measureDelay(): DelayMeter {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  histogram.enable()
  return {
    read() {
      // What is counted are the distances of ticks, which are RESOLUTION_MS when nothing is late.
      const late = histogram.count === 0 ? 0 : histogram.percentile(99) / 1e6 - RESOLUTION_MS
      histogram.reset()
      return Math.max(0, late)
    },
    stop: () => void histogram.disable(),
  }
}
