import type { Clock } from './clock.ts'

/**
 * Call it between small steps of long work. Returns a promise to await when long work has used up its share of the
 * event-loop turn, otherwise undefined.
 */
export type Yielder = () => Promise<void> | undefined

/** How long all long work together may occupy the event loop before other work runs. */
const TURN_MS = 8

/** Create one per server: all long answers share the same time. */
export function createYielder(clock: Clock): Yielder {
  let since = clock.now()
  let waiting: (() => void)[] = []
  const nextTurn = (): void => {
    since = clock.now()
    const resumed = waiting
    waiting = []
    for (const resume of resumed) resume()
  }
  return () => {
    if (clock.now() - since < TURN_MS) return undefined
    return new Promise<void>((resolve) => {
      if (waiting.push(resolve) === 1) clock.soon(nextTurn)
    })
  }
}
