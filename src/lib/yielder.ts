import type { Clock } from './clock.ts'

/**
 * To be called between small steps of long work: answers undefined, or a promise to be awaited once the work has had
 * the event loop for long, so that others have it.
 */
export type Yielder = () => Promise<void> | undefined

/** How long all long work together may have the event loop before it lets others have it. */
const TURN_MS = 8

/** One for a whole server: several long answers share the time that is theirs. */
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
