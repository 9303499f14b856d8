import { newRequest } from './request.ts'
import { settled } from './timing.ts'
import { addressOf, cannotOpen } from './transport.ts'
import type { ChannelstreamError } from './errors.ts'
import type { TransportName } from './events.ts'
import type { ChannelstreamRequest } from './request.ts'
import type {
  Ending,
  ListenTarget,
  Next,
  Transport,
  TransportHooks,
  TransportSettings,
} from './transport.ts'

/** One request of a transport. */
export interface Round {
  readonly request: ChannelstreamRequest
  readonly settings: TransportSettings
  readonly target: ListenTarget
  readonly hooks: TransportHooks
  /** Aborted when the session ends, and by `replace`. */
  readonly signal: AbortSignal
  /** Call it when something arrives. */
  readonly alive: () => void
  /** Tells the session that the transport is open, once. Events may be delivered when it has resolved. */
  readonly opened: () => Promise<void>
}

/** The base of the transports that receive events by one HTTP request after another. */
export abstract class RequestTransport implements Transport {
  abstract readonly name: TransportName
  #current: AbortController | undefined
  #target: ListenTarget | undefined
  #heardAt = 0

  /** Empty if the settings do not allow this transport. */
  abstract urlIn(settings: TransportSettings): string
  /** Resolves when it is time for the next request, or with the end. Rejects when the request has failed. */
  protected abstract ask(round: Round): Promise<Ending | undefined>

  isUsable(settings: TransportSettings): boolean {
    return this.urlIn(settings) !== ''
  }

  async listen(
    settings: TransportSettings,
    target: ListenTarget,
    hooks: TransportHooks,
    signal: AbortSignal,
  ): Promise<Ending> {
    let isOpen = false
    this.#target = target
    const alive = (): void => void (this.#heardAt = performance.now())
    while (!signal.aborted && !hooks.shouldSwitch()) {
      let request: ChannelstreamRequest
      try {
        request = newRequest('GET', addressOf(this.urlIn(settings), target, !isOpen).href)
      } catch (error) {
        return cannotOpen(error)
      }
      const current = (this.#current = new AbortController())
      const abort = (): void => current.abort(signal.reason)
      signal.addEventListener('abort', abort)
      const opened = async (): Promise<void> => {
        if (isOpen || current.signal.aborted) return
        isOpen = true
        hooks.reached()
        hooks.opened(request)
        await settled()
      }
      alive()
      try {
        const round = { request, settings, target, hooks, signal: current.signal, alive, opened }
        const ending = await this.ask(round)
        if (ending) return ending
      } catch (thrown) {
        const error = thrown as ChannelstreamError
        // The server may have answered, and counts as read what got lost on its way.
        if (error.status === 0) hooks.reached()
        if (!current.signal.aborted) {
          hooks.failed(request, error.answer)
          return { next: nextAfter(error, isOpen), error, detail: request }
        }
        // Replaced: the next request asks for an answer at once, which shows that the network is back.
        isOpen = false
      } finally {
        signal.removeEventListener('abort', abort)
      }
    }
    return { next: signal.aborted ? 'ended' : 'switch' }
  }

  checkNow(): void {
    const silentMs = performance.now() - this.#heardAt
    if (silentMs * 2 >= (this.#target?.silenceMs || Infinity)) this.replace()
  }

  replace(): void {
    this.#current?.abort()
  }

  release(): void {}
}

/** Maps a failed request to the next step (docs/errors.md). An invalid `conn_id` is treated like an unknown one. */
function nextAfter({ code, status }: ChannelstreamError, isOpen: boolean): Next {
  if (status === 401 || status === 422) return 'renew'
  if (status === 429 || status === 503) return 'later'
  // What has worked before is not at fault if the network is.
  return isOpen && (code === 'timeout' || code === 'unreachable') ? 'resume' : 'fallback'
}
