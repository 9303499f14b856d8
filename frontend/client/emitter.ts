import { guarded } from './errors.ts'

export interface ListenOptions {
  /** Removes the listener, or ends the iteration, when it is aborted. */
  readonly signal?: AbortSignal
}

/** Listeners by type. Each gets every event once, in order, even if another listener throws. */
export class Emitter<EventMap> {
  readonly #listeners = new Map<keyof EventMap, Set<{ hear(event: never): unknown }>>()

  /** Returns a function that removes the listener. A function that is added twice is called twice. */
  on<Type extends keyof EventMap>(
    type: Type,
    hear: (event: EventMap[Type]) => unknown,
    { signal }: ListenOptions = {},
  ): () => void {
    const listener = { hear }
    const off = (): void => {
      this.#of(type).delete(listener)
      signal?.removeEventListener('abort', off)
    }
    if (signal?.aborted) return off
    this.#of(type).add(listener)
    signal?.addEventListener('abort', off)
    return off
  }

  /** Removes what `on` has added with this function, once. */
  off<Type extends keyof EventMap>(type: Type, hear: (event: EventMap[Type]) => unknown): void {
    const listeners = this.#of(type)
    for (const listener of listeners) {
      if (listener.hear !== hear) continue
      listeners.delete(listener)
      return
    }
  }

  /** Returns whether there was a listener. */
  emit<Type extends keyof EventMap>(type: Type, event: EventMap[Type]): boolean {
    const listeners = this.#of(type)
    const present = [...listeners]
    for (const listener of present)
      if (listeners.has(listener)) guarded(() => listener.hear(event as never))
    return present.length > 0
  }

  #of(type: keyof EventMap): Set<{ hear(event: never): unknown }> {
    const listeners = this.#listeners.get(type) ?? new Set()
    this.#listeners.set(type, listeners)
    return listeners
  }
}
