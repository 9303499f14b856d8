import { ChannelstreamError } from './errors.ts'
import { newRequest, send } from './request.ts'
import { idly, pause } from './timing.ts'
import { addressOf, cannotOpen } from './transport.ts'
import type { ChannelstreamRequest } from './request.ts'
import type { Ears, Ending, Next, Place, Transport, TransportSettings } from './transport.ts'

/** A poll that was not refused for so long is taken as open: its answer may take a while. */
const OPEN_AFTER_MS = 1_000
/** How long a poll may take if silence is not looked at. */
const MAX_POLL_MS = 60_000
/** The least time from one poll to the next after an empty answer, which may come at once if two pages share a connection. */
const MIN_EMPTY_MS = 1_000

/** Events by `/listen`: one poll after the other. */
export class LongPollTransport implements Transport {
  readonly name = 'longpoll'

  isUsable(settings: TransportSettings): boolean {
    return settings.longPollUrl !== ''
  }

  async listen(
    settings: TransportSettings,
    place: Place,
    ears: Ears,
    signal: AbortSignal,
  ): Promise<Ending> {
    let isOpen = false
    const opened = (poll: ChannelstreamRequest): void => {
      if (!isOpen && !signal.aborted) ears.opened(poll)
      isOpen = true
    }
    while (!signal.aborted && !ears.enough()) {
      let poll: ChannelstreamRequest
      try {
        poll = newRequest('GET', addressOf(settings.longPollUrl, place).href)
      } catch (error) {
        return cannotOpen(error)
      }
      const startedAt = performance.now()
      const cancel = idly(OPEN_AFTER_MS, () => opened(poll))
      try {
        const frame = await ask(poll, settings, signal)
        opened(poll)
        ears.heard(frame)
        if (frame.length === 0) await pause(startedAt + MIN_EMPTY_MS - performance.now(), signal)
      } catch (error) {
        if (!signal.aborted) return failed(poll, error as ChannelstreamError, ears)
      } finally {
        cancel()
      }
    }
    return { next: signal.aborted ? 'ended' : 'switch' }
  }

  lookNow(): void {}

  letGo(): void {}
}

async function ask(
  poll: ChannelstreamRequest,
  { fetch, silenceTimeout }: TransportSettings,
  signal: AbortSignal,
): Promise<unknown[]> {
  const timeoutMs = silenceTimeout > 0 ? silenceTimeout : MAX_POLL_MS
  const answer = await send(poll, { fetch, timeoutMs, signal, init: { cache: 'no-store' } })
  if (Array.isArray(answer)) return answer as unknown[]
  throw new ChannelstreamError('answer', `${poll.url} is not a list of events`, { answer })
}

function failed(poll: ChannelstreamRequest, error: ChannelstreamError, ears: Ears): Ending {
  ears.failed(poll, error.answer)
  return { next: nextAfter(error), error, detail: poll }
}

/** What the status of a poll asks for (docs/errors.md). A `conn_id` that is none is as good as one that is unknown. */
function nextAfter({ code, status }: ChannelstreamError): Next {
  if (status === 401 || status === 422) return 'renew'
  if (status === 429 || status === 503) return 'later'
  return code === 'timeout' ? 'resume' : 'fallback'
}
