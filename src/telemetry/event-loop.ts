import { monitorEventLoopDelay } from 'node:perf_hooks'

/** How often the event loop is sampled. Fifty timers a second take a few ten-thousandths of a core. */
const RESOLUTION_MS = 20

export interface DelayMeter {
  /** Returns the p99 delay of the event loop since the last call, in milliseconds. */
  read(): number
  stop(): void
}

/** Starts measuring. Holds a system timer until it is stopped. */
export function measureDelay(): DelayMeter {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  histogram.enable()
  return {
    read() {
      // The histogram counts intervals between ticks, which are RESOLUTION_MS without delay.
      const late = histogram.count === 0 ? 0 : histogram.percentile(99) / 1e6 - RESOLUTION_MS
      histogram.reset()
      return Math.max(0, late)
    },
    stop: () => void histogram.disable(),
  }
}
