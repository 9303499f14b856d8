import * as api from './api.ts'
import { BackOff } from './back-off.ts'
import { inBackground } from './background.ts'
import { readJson } from './json.ts'
import type { LiveReport, LiveRequest } from '../../../../src/protocol/admin.ts'
import type { Event as ChannelEvent } from '../../../../src/protocol/events.ts'
import type { FiguresResponse, Reading } from './api.ts'

/** `lost`: the server cannot be reached, and the panel retries by itself. */
export type Connection = 'connecting' | 'live' | 'lost'
export type Topic = 'connection' | 'figures' | 'tail'

const SIGNED_OUT = 4501
/** The server reports every second. After this long without a report, the connection is considered lost. */
const SILENCE_MS = 8_000
const WINDOW_MS = 3_600_000

/**
 * Live data over one WebSocket: figures every second, and the events of one channel. Reconnects with backoff.
 * Dispatches an `Event` named after the `Topic` that changed.
 */
export class Live extends EventTarget {
  connection: Connection = 'connecting'
  reading: Reading | undefined
  uptimeSeconds = 0
  version = ''
  /** Milliseconds since 1970, one for each number in a series. */
  times: number[] = []
  series: Record<string, number[]> = {}
  /** True once the server confirms that it sends the events of the channel. */
  isTailing = false
  #intervalMs = 5_000
  #socket: WebSocket | undefined
  #tailedChannel: string | undefined
  #onEvents: (events: readonly ChannelEvent[]) => void = () => {}
  #silenceTimer: ReturnType<typeof setTimeout> | undefined
  readonly #backOff = new BackOff(() => inBackground(this.open()))

  /** Loads the last hour, then opens the WebSocket. */
  async open(): Promise<void> {
    try {
      this.#loadHistory(await api.figures())
    } catch {
      return this.#onLost() // the backoff retries, and the page shows that it is not connected
    }
    const url = new URL(`${api.BASE}/admin/live`, location.href)
    url.protocol = url.protocol.replace('http', 'ws')
    const socket = (this.#socket = new WebSocket(url))
    this.#resetSilenceTimer()
    socket.onmessage = ({ data }: MessageEvent<string>) => this.#onMessage(data)
    socket.onopen = () => this.#opened()
    socket.onclose = ({ code }) => {
      if (socket !== this.#socket) return
      if (code === SIGNED_OUT) api.goToSignIn()
      else this.#onLost()
    }
  }

  /** Passes new events of the channel to `onEvents` until `untail`. Earlier events are not sent. */
  tail(channel: string, onEvents: (events: readonly ChannelEvent[]) => void): void {
    this.#tailedChannel = channel
    this.#onEvents = onEvents
    this.#requestTail()
  }

  untail(): void {
    this.#tailedChannel = undefined
    this.#onEvents = () => {}
    this.#requestTail()
  }

  #opened(): void {
    this.#backOff.reset()
    this.#setConnection('live')
    if (this.#tailedChannel !== undefined) this.#requestTail()
  }

  #onLost(): void {
    const socket = this.#socket
    this.#socket = undefined
    socket?.close()
    clearTimeout(this.#silenceTimer)
    this.isTailing = false
    this.#setConnection('lost')
    this.#backOff.wait()
  }

  #setConnection(connection: Connection): void {
    this.connection = connection
    this.#notify('connection')
  }

  #resetSilenceTimer(): void {
    clearTimeout(this.#silenceTimer)
    this.#silenceTimer = setTimeout(() => this.#onLost(), SILENCE_MS)
  }

  #requestTail(): void {
    this.isTailing = false
    this.#notify('tail')
    if (this.#socket?.readyState !== WebSocket.OPEN) return
    const channel = this.#tailedChannel as (LiveRequest & { type: 'tail' })['channel'] | undefined
    const request: LiveRequest =
      channel === undefined ? { type: 'untail' } : { type: 'tail', channel }
    this.#socket.send(JSON.stringify(request))
  }

  #onMessage(data: string): void {
    this.#resetSilenceTimer()
    const report = readJson(data) as LiveReport | ChannelEvent[]
    if (Array.isArray(report)) return this.#onEvents(report)
    switch (report.type) {
      case 'tailing':
        this.isTailing = report.channel === this.#tailedChannel
        return this.#notify('tail')
      case 'figures':
        this.reading = report.figures
        this.uptimeSeconds = report.uptime_seconds
        this.#extend(report.time, report.figures)
        return this.#notify('figures')
      default:
        return report satisfies never
    }
  }

  #loadHistory(history: FiguresResponse): void {
    this.version = history.version
    this.uptimeSeconds = history.uptime_seconds
    this.#intervalMs = history.interval_seconds * 1000
    this.times = history.times
    this.series = history.series
    this.reading = history.current
    this.#notify('figures')
  }

  /** Appends live readings to the series, at the interval of the series. */
  #extend(time: number, reading: Reading): void {
    const newest = this.times.at(-1) ?? 0
    if (time - newest < this.#intervalMs) return
    this.times.push(time)
    for (const [name, value] of Object.entries(reading)) this.series[name]?.push(value)
    while ((this.times[0] ?? time) < time - WINDOW_MS) {
      this.times.shift()
      for (const column of Object.values(this.series)) column.shift()
    }
  }

  #notify(topic: Topic): void {
    this.dispatchEvent(new Event(topic))
  }
}

/** The instance that the whole page shares. */
export const live = new Live()
