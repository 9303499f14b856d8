import { ChannelstreamError } from './errors.ts'
import { newRequest, send } from './request.ts'
import { backgroundTimeout, pause } from './timing.ts'
import { addressOf, cannotOpen } from './transport.ts'
import type { ChannelstreamRequest } from './request.ts'
import type {
  TransportHooks,
  Ending,
  Next,
  ListenTarget,
  Transport,
  TransportSettings,
} from './transport.ts'

/** A poll that has not failed after this time counts as open. Its answer may take much longer. */
const OPEN_AFTER_MS = 1_000
/** The timeout of a poll if `silenceTimeout` is off. */
const MAX_POLL_MS = 60_000
/** The minimum time between polls after an empty answer. Two pages that share a connection get such answers at once. */
const MIN_EMPTY_MS = 1_000

/** Receives events from `/listen`, by one poll after another. */
export class LongPollTransport implements Transport {
  readonly name = 'longpoll'

  isUsable(settings: TransportSettings): boolean {
    return settings.longPollUrl !== ''
  }

  async listen(
    settings: TransportSettings,
    target: ListenTarget,
    hooks: TransportHooks,
    signal: AbortSignal,
  ): Promise<Ending> {
    let isOpen = false
    const opened = (poll: ChannelstreamRequest): void => {
      if (!isOpen && !signal.aborted) hooks.opened(poll)
      isOpen = true
    }
    while (!signal.aborted && !hooks.shouldSwitch()) {
      let poll: ChannelstreamRequest
      try {
        poll = newRequest('GET', addressOf(settings.longPollUrl, target).href)
      } catch (error) {
        return cannotOpen(error)
      }
      const startedAt = performance.now()
      const cancel = backgroundTimeout(OPEN_AFTER_MS, () => opened(poll))
      try {
        const frame = await ask(poll, settings, signal)
        opened(poll)
        hooks.received(frame)
        if (frame.length === 0) await pause(startedAt + MIN_EMPTY_MS - performance.now(), signal)
      } catch (error) {
        if (!signal.aborted) return failed(poll, error as ChannelstreamError, hooks)
      } finally {
        cancel()
      }
    }
    return { next: signal.aborted ? 'ended' : 'switch' }
  }

  checkNow(): void {}

  release(): void {}
}

async function ask(
  poll: ChannelstreamRequest,
  { fetch, silenceTimeout }: TransportSettings,
  signal: AbortSignal,
): Promise<unknown[]> {
  const timeoutMs = silenceTimeout > 0 ? silenceTimeout : MAX_POLL_MS
  const answer = await send(poll, { fetch, timeoutMs, signal, init: { cache: 'no-store' } })
  if (Array.isArray(answer)) return answer as unknown[]
  throw new ChannelstreamError('answer', `${poll.url} did not return a list of events`, { answer })
}

function failed(
  poll: ChannelstreamRequest,
  error: ChannelstreamError,
  hooks: TransportHooks,
): Ending {
  hooks.failed(poll, error.answer)
  return { next: nextAfter(error), error, detail: poll }
}

/** Maps the status of a poll to the next step (docs/errors.md). An invalid `conn_id` is treated like an unknown one. */
function nextAfter({ code, status }: ChannelstreamError): Next {
  if (status === 401 || status === 422) return 'renew'
  if (status === 429 || status === 503) return 'later'
  return code === 'timeout' ? 'resume' : 'fallback'
}
