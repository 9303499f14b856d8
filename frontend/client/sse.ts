import { RequestTransport } from './request-transport.ts'
import { parsed, send } from './request.ts'
import { pause } from './timing.ts'
import { endingOf } from './transport.ts'
import type { Round } from './request-transport.ts'
import type { Ending, TransportSettings } from './transport.ts'

/** A stream without a first event after this time is assumed to be held back by a proxy. */
const OPEN_TIMEOUT_MS = 8_000

/**
 * Receives events from `/sse`, by one stream after another. Not by `EventSource`, which hides the status of a refusal and
 * goes on from a position of its own.
 */
export class SseTransport extends RequestTransport {
  readonly name = 'sse'

  urlIn({ sseUrl, noSse }: TransportSettings): string {
    return noSse ? '' : sseUrl
  }

  protected async ask(round: Round): Promise<Ending | undefined> {
    const { request, settings, target, hooks, signal, alive, opened } = round
    let reopenMs = 0
    let hasBegun = false
    let ending: Ending | undefined
    let rest = ''
    const line = async (text: string): Promise<void> => {
      const colon = text.indexOf(':')
      const name = text.slice(0, colon)
      const value = text.slice(colon + 1)
      if (name === 'retry') reopenMs = Number(value)
      if (name !== 'data' || signal.aborted) return
      const data = parsed(value)
      if (isClose(data)) return void (ending = endingOf(data.code, data.reason, request))
      hasBegun = true
      await opened()
      hooks.received([data].flat())
    }
    const piece = async (text: string): Promise<void> => {
      // Only the new text is searched, since one line may arrive in very many pieces.
      const end = text.lastIndexOf('\n')
      const lines = end < 0 ? [] : (rest + text.slice(0, end)).split('\n')
      rest = end < 0 ? rest + text : text.slice(end + 1)
      for (const one of lines) await line(one)
    }
    await send(request, {
      fetch: settings.fetch,
      silenceMs: () => (hasBegun ? target.silenceMs : OPEN_TIMEOUT_MS),
      signal,
      alive,
      init: { cache: 'no-store' },
      piece,
    })
    if (ending) return ending
    // A server that cannot stream now says only when to come back.
    if (!hasBegun) return { next: reopenMs > 0 ? 'later' : 'fallback', detail: request }
    await pause(reopenMs, signal)
    return undefined
  }
}

const isClose = (data: unknown): data is { code: number; reason: string } =>
  (data as { type?: unknown } | null)?.type === 'close'
