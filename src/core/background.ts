import { StoreAway } from '../store/store.ts'
import type { Awaitable } from '../store/store.ts'

/** Takes care of work whose failure no caller is told of. */
export function inBackgroundOf(onFault: (error: unknown) => void) {
  return (work: Awaitable<unknown>): void => {
    if (!(work instanceof Promise)) return
    work.catch((error: unknown) => {
      // A store that is away says so itself, once.
      if (!(error instanceof StoreAway)) onFault(error)
    })
  }
}
