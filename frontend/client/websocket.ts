import { ChannelstreamError } from './errors.ts'
import { parsed } from './request.ts'
import { Watchdog, idly, idlyEvery } from './timing.ts'
import { addressOf, cannotOpen } from './transport.ts'
import type { Ears, Ending, Next, Place, Transport } from './transport.ts'
import type { TransportSettings, WebSocketClass, WebSocketLike } from './transport.ts'

const HEARTBEAT = '{"type":"heartbeat"}'
const HEARTBEAT_MS = 10_000
/** A handshake that takes longer is taken for one that a proxy keeps from us. */
const OPEN_TIMEOUT_MS = 8_000
const OPEN = 1

interface Close {
  readonly code: number
  readonly reason: string
}

/** Events by `/ws`. */
export class WebSocketTransport implements Transport {
  readonly name = 'websocket'
  #current: Socket | undefined
  /**
   * Sockets that fell silent. A close that reached the server after all would tell it that the client has left, so they
   * are closed only when the server has sent a frame to a newer one, which then has taken over.
   */
  readonly #silent = new Set<WebSocketLike>()

  isUsable(settings: TransportSettings): boolean {
    return settings.websocketUrl !== '' && !settings.noWebsocket && !!classIn(settings)
  }

  async listen(
    settings: TransportSettings,
    place: Place,
    ears: Ears,
    signal: AbortSignal,
  ): Promise<Ending> {
    const heard = (frame: unknown): void => {
      this.letGo()
      ears.heard(frame)
    }
    let socket: Socket
    try {
      socket = new Socket(settings, place, { ...ears, heard })
    } catch (error) {
      return cannotOpen(error)
    }
    const leave = (): void => socket.end({ next: 'ended' })
    signal.addEventListener('abort', leave)
    this.#current = socket
    const ending = await socket.ended
    this.#current = undefined
    signal.removeEventListener('abort', leave)
    if (socket.isSilent) this.#silent.add(socket.raw)
    else socket.raw.close()
    if (signal.aborted) this.letGo()
    return ending
  }

  lookNow(): void {
    this.#current?.lookNow()
  }

  letGo(): void {
    for (const socket of this.#silent) socket.close()
    this.#silent.clear()
  }
}

/** One socket, from its handshake to its end. */
class Socket {
  readonly raw: WebSocketLike
  readonly ended: Promise<Ending>
  isSilent = false
  #end!: (ending: Ending) => void
  #state: 'opening' | 'open' | 'over' = 'opening'
  readonly #watchdog: Watchdog
  readonly #cancels: (() => void)[] = []

  constructor(
    private readonly settings: TransportSettings,
    place: Place,
    private readonly ears: Ears,
  ) {
    const address = addressOf(settings.websocketUrl, place)
    address.protocol = address.protocol.replace('http', 'ws')
    const WebSocket = classIn(settings) as WebSocketClass
    this.ended = new Promise((resolve) => (this.#end = resolve))
    const raw = (this.raw = new WebSocket(address.href))
    // They stay after the end: a socket of `ws` that fails with nobody listening ends the process.
    raw.onopen = (event: unknown) => this.#opened(event)
    raw.onmessage = ({ data }: { data: unknown }) => this.#received(data)
    raw.onerror = (event: unknown) => void (this.#state !== 'over' && ears.failed(event))
    raw.onclose = (event: Close) => this.#closed(event)
    this.#watchdog = new Watchdog(settings.silenceTimeout, () => this.#fellSilent())
    this.#cancels.push(
      idly(OPEN_TIMEOUT_MS, () => this.#tookTooLong()),
      idlyEvery(HEARTBEAT_MS, () => this.#beat()),
    )
  }

  end(ending: Ending): void {
    this.#state = 'over'
    this.#watchdog.stop()
    for (const cancel of this.#cancels) cancel()
    this.#end(ending)
  }

  lookNow(): void {
    this.#watchdog.lookNow()
  }

  #opened(event: unknown): void {
    if (this.#state !== 'opening') return
    this.#state = 'open'
    this.#watchdog.heard()
    this.ears.opened(event, this.raw)
  }

  #received(data: unknown): void {
    if (this.#state !== 'open') return
    this.#watchdog.heard()
    this.ears.heard(parsed(String(data)))
  }

  #closed(event: Close): void {
    if (this.#state === 'over') return
    const next = this.#state === 'opening' ? 'fallback' : nextAfter(event.code)
    const { code: status, reason: answer } = event
    const error = new ChannelstreamError('closed', `closed: ${status} ${answer}`, {
      status,
      answer,
    })
    this.end({ next, error, detail: event })
  }

  #tookTooLong(): void {
    if (this.#state !== 'opening') return
    const error = new ChannelstreamError('timeout', 'the WebSocket did not open in time')
    this.end({ next: 'fallback', error })
  }

  #fellSilent(): void {
    if (this.#state !== 'open') return this.#tookTooLong()
    this.isSilent = true
    this.end({ next: 'resume', error: new ChannelstreamError('timeout', 'the server fell silent') })
  }

  #beat(): void {
    if (this.settings.heartbeats && this.raw.readyState === OPEN) this.raw.send(HEARTBEAT)
  }
}

/** What the server asks for by closing (docs/protocol.md, close codes). */
export function nextAfter(code: number): Next {
  if (code === 1000) return 'renew'
  if (code === 1012 || code === 4013) return 'later'
  return code >= 4500 && code <= 4999 ? 'stay-away' : 'resume'
}

const classIn = (settings: TransportSettings): WebSocketClass | undefined =>
  settings.WebSocket ?? (globalThis as { WebSocket?: WebSocketClass }).WebSocket
