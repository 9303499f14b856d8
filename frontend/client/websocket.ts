import { ChannelstreamError, report } from './errors.ts'
import { parsed } from './request.ts'
import { Watchdog, backgroundTimeout, backgroundInterval, settled } from './timing.ts'
import { addressOf, cannotOpen, endingOf } from './transport.ts'
import type { TransportHooks, Ending, ListenTarget, Transport } from './transport.ts'
import type { TransportSettings, WebSocketClass, WebSocketLike } from './transport.ts'

const HEARTBEAT = '{"type":"heartbeat"}'
const HEARTBEAT_MS = 10_000
/** A slower handshake is assumed to be blocked by a proxy. */
const OPEN_TIMEOUT_MS = 8_000
/** A server that sends nothing at first, as older ones, is believed to know the connection after this time. */
const OPENED_AFTER_MS = 1_000
const OPEN = 1

interface Close {
  readonly code: number
  readonly reason: string
}

/** Receives events from `/ws`. */
export class WebSocketTransport implements Transport {
  readonly name = 'websocket'
  #current: Socket | undefined
  /**
   * Sockets that timed out. If their close still reached the server, it would end the connection. So they are closed
   * only after the server has sent a frame to a newer socket, which has then taken over.
   */
  readonly #silent = new Set<WebSocketLike>()

  isUsable(settings: TransportSettings): boolean {
    return settings.websocketUrl !== '' && !settings.noWebsocket && !!classIn(settings)
  }

  async listen(
    settings: TransportSettings,
    target: ListenTarget,
    hooks: TransportHooks,
    signal: AbortSignal,
  ): Promise<Ending> {
    const received = (frame: unknown): void => {
      this.release()
      hooks.received(frame)
    }
    let socket: Socket
    try {
      socket = new Socket(settings, target, { ...hooks, received })
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
    if (signal.aborted) this.release()
    return ending
  }

  checkNow(): void {
    this.#current?.checkNow()
  }

  replace(): void {
    this.#current?.replace()
  }

  release(): void {
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
  /** Frames that have come with the opening. */
  #early: unknown[] | undefined
  /** Tells the session, once. */
  #opened = (): void => {}
  readonly #watchdog: Watchdog
  readonly #cancels: (() => void)[] = []

  constructor(
    private readonly settings: TransportSettings,
    target: ListenTarget,
    private readonly hooks: TransportHooks,
  ) {
    const address = addressOf(settings.websocketUrl, target, true)
    address.protocol = address.protocol.replace('http', 'ws')
    const WebSocket = classIn(settings) as WebSocketClass
    this.ended = new Promise((resolve) => (this.#end = resolve))
    const raw = (this.raw = new WebSocket(address.href))
    // The handlers stay after the end: an error of a `ws` socket without a handler would crash the process.
    raw.onopen = (event: unknown) => this.#shookHands(event)
    raw.onmessage = ({ data }: { data: unknown }) => this.#received(data)
    raw.onerror = (event: unknown) => this.#failed(event)
    raw.onclose = (event: Close) => this.#closed(event)
    this.#watchdog = new Watchdog(
      () => target.silenceMs,
      () => this.#wentSilent(),
    )
    this.#cancels.push(
      backgroundTimeout(OPEN_TIMEOUT_MS, () => this.#openTimedOut()),
      backgroundInterval(HEARTBEAT_MS, () => this.#sendHeartbeat()),
    )
  }

  end(ending: Ending): void {
    this.#release()
    this.#state = 'over'
    this.#watchdog.stop()
    for (const cancel of this.#cancels) cancel()
    this.#end(ending)
  }

  checkNow(): void {
    this.#watchdog.checkNow()
  }

  replace(): void {
    this.isSilent = this.#state === 'open'
    this.end({ next: 'switch' })
  }

  #shookHands(event: unknown): void {
    if (this.#state !== 'opening') return
    this.#state = 'open'
    this.#watchdog.reset()
    this.hooks.reached()
    const cancel = backgroundTimeout(OPENED_AFTER_MS, () => this.#opened())
    this.#cancels.push(cancel)
    this.#opened = () => {
      this.#opened = cancel
      cancel()
      this.#early = []
      settled().then(() => this.#release(), report)
      this.hooks.opened(event, this.raw)
    }
  }

  #received(data: unknown): void {
    if (this.#state !== 'open') return
    this.#watchdog.reset()
    this.#opened()
    const frame = parsed(String(data))
    if (this.#early) this.#early.push(frame)
    else this.hooks.received(frame)
  }

  #release(): void {
    const frames = this.#early ?? []
    this.#early = undefined
    for (const frame of frames) this.hooks.received(frame)
  }

  #closed(event: Close): void {
    if (this.#state === 'over') return
    const ending = endingOf(event.code, event.reason, event)
    this.end(this.#state === 'opening' ? { ...ending, next: 'fallback' } : ending)
  }

  #failed(event: unknown): void {
    this.#release()
    if (this.#state !== 'over') this.hooks.failed(event)
  }

  #openTimedOut(): void {
    if (this.#state !== 'opening') return
    const error = new ChannelstreamError('timeout', 'the WebSocket handshake timed out')
    this.end({ next: 'fallback', error })
  }

  #wentSilent(): void {
    if (this.#state !== 'open') return this.#openTimedOut()
    this.isSilent = true
    this.end({
      next: 'resume',
      error: new ChannelstreamError('timeout', 'the server sent nothing within silenceTimeout'),
    })
  }

  #sendHeartbeat(): void {
    if (this.settings.heartbeats && this.raw.readyState === OPEN) this.raw.send(HEARTBEAT)
  }
}

const classIn = (settings: TransportSettings): WebSocketClass | undefined =>
  settings.WebSocket ?? (globalThis as { WebSocket?: WebSocketClass }).WebSocket
