import { ChannelstreamError, report } from './errors.ts'
import { RequestTransport } from './request-transport.ts'
import { send } from './request.ts'
import { backgroundTimeout, pause } from './timing.ts'
import type { Round } from './request-transport.ts'
import type { TransportSettings } from './transport.ts'

/** A poll that has not failed after this time counts as open. Its answer may take much longer. */
const OPEN_AFTER_MS = 1_000
/** The timeout of a poll if `silenceTimeout` is off. */
const MAX_POLL_MS = 60_000
/** The minimum time between polls after an empty answer. Two pages that share a connection get such answers at once. */
const MIN_EMPTY_MS = 1_000

/** Receives events from `/listen`, by one poll after another. */
export class LongPollTransport extends RequestTransport {
  readonly name = 'longpoll'

  urlIn({ longPollUrl }: TransportSettings): string {
    return longPollUrl
  }

  protected async ask({
    request,
    settings,
    target,
    hooks,
    signal,
    alive,
    opened,
  }: Round): Promise<undefined> {
    const startedAt = performance.now()
    const cancel = backgroundTimeout(OPEN_AFTER_MS, () => void opened().catch(report))
    try {
      const frame = await send(request, {
        fetch: settings.fetch,
        silenceMs: () => target.silenceMs || MAX_POLL_MS,
        signal,
        alive,
        init: { cache: 'no-store' },
      })
      if (!Array.isArray(frame))
        throw new ChannelstreamError('answer', `${request.url} did not return a list of events`, {
          answer: frame,
        })
      await opened()
      hooks.received(frame)
      if (frame.length === 0) await pause(startedAt + MIN_EMPTY_MS - performance.now(), signal)
    } finally {
      cancel()
    }
  }
}
