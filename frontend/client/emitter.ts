import { guarded } from './errors.ts'

export interface ListenOptions {
  /** Removes the listener, or ends the iteration, when it is aborted. */
  readonly signal?: AbortSignal
}

interface Listener {
  readonly hear: (event: never) => unknown
  readonly isOnce: boolean
  /** Does nothing the second time. */
  readonly remove: () => void
}

/** Listeners by type. Each gets every event once, in order, even if another listener throws. */
export class Emitter<EventMap> {
  readonly #listeners = new Map<keyof EventMap, Set<Listener>>()

  /** Returns a function that removes the listener. A function that is added twice is called twice. */
  on<Type extends keyof EventMap>(
    type: Type,
    hear: (event: EventMap[Type]) => unknown,
    { signal }: ListenOptions = {},
    isOnce = false,
  ): () => void {
    const remove = (): void => {
      this.#of(type).delete(listener)
      signal?.removeEventListener('abort', remove)
    }
    const listener: Listener = { hear, isOnce, remove }
    if (signal?.aborted) return remove
    this.#of(type).add(listener)
    signal?.addEventListener('abort', remove)
    return remove
  }

  /** Removes a listener that has been added with this function, the first one. */
  off<Type extends keyof EventMap>(type: Type, hear: (event: EventMap[Type]) => unknown): void {
    for (const listener of this.#of(type)) if (listener.hear === hear) return listener.remove()
  }

  /** Returns whether there was a listener. */
  emit<Type extends keyof EventMap>(type: Type, event: EventMap[Type]): boolean {
    const listeners = this.#of(type)
    const present = [...listeners]
    for (const listener of present) {
      if (!listeners.has(listener)) continue
      // Before it hears: what it does may emit again.
      if (listener.isOnce) listener.remove()
      guarded(() => listener.hear(event as never))
    }
    return present.length > 0
  }

  #of(type: keyof EventMap): Set<Listener> {
    const listeners = this.#listeners.get(type) ?? new Set()
    this.#listeners.set(type, listeners)
    return listeners
  }
}
