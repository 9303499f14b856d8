import * as api from './api.ts'
import { BackOff } from './back-off.ts'
import { inBackground } from './background.ts'
import { readJson } from './json.ts'
import type { LiveReport, LiveRequest } from '../../../../src/protocol/admin.ts'
import type { Event as ChannelEvent } from '../../../../src/protocol/events.ts'
import type { FiguresResponse, Reading } from './api.ts'

/** `lost`: the server cannot be reached; the panel tries again by itself. */
export type Connection = 'connecting' | 'live' | 'lost'
export type Topic = 'connection' | 'figures' | 'tail'

const SIGNED_OUT = 4501
/** The server reports every second. If it is silent for so long, it is gone, or the network is. */
const SILENCE_MS = 8_000
const WINDOW_MS = 3_600_000

/**
 * What the server tells by itself, over one WebSocket: figures every second, and the events of one channel. Opens it
 * again, with growing pauses, whenever it breaks off. Dispatches an `Event` named after the `Topic` that changed.
 */
export class Live extends EventTarget {
  connection: Connection = 'connecting'
  reading: Reading | undefined
  uptimeSeconds = 0
  version = ''
  /** Milliseconds since 1970, for each number in a series. */
  times: number[] = []
  series: Record<string, number[]> = {}
  /** True once everything that is announced in the channel comes. */
  isTailing = false
  #intervalMs = 5_000
  #socket: WebSocket | undefined
  #tailed: string | undefined
  #onEvents: (events: readonly ChannelEvent[]) => void = () => {}
  #silence: ReturnType<typeof setTimeout> | undefined
  readonly #backOff = new BackOff(() => inBackground(this.open()))

  /** Reads the last hour, then listens. */
  async open(): Promise<void> {
    try {
      this.#takeHistory(await api.figures())
    } catch {
      return this.#lose() // the back-off tries again, and the page says that it is not connected
    }
    const url = new URL(`${api.BASE}/admin/live`, location.href)
    url.protocol = url.protocol.replace('http', 'ws')
    const socket = (this.#socket = new WebSocket(url))
    this.#watchSilence()
    socket.onmessage = ({ data }: MessageEvent<string>) => this.#heard(data)
    socket.onopen = () => this.#opened()
    socket.onclose = ({ code }) => {
      if (socket !== this.#socket) return
      if (code === SIGNED_OUT) api.goToSignIn()
      else this.#lose()
    }
  }

  /** Hears of every event in the channel until `untail`; what was said before is not told. */
  tail(channel: string, onEvents: (events: readonly ChannelEvent[]) => void): void {
    this.#tailed = channel
    this.#onEvents = onEvents
    this.#askForTail()
  }

  untail(): void {
    this.#tailed = undefined
    this.#onEvents = () => {}
    this.#askForTail()
  }

  #opened(): void {
    this.#backOff.reset()
    this.#become('live')
    if (this.#tailed !== undefined) this.#askForTail()
  }

  #lose(): void {
    const socket = this.#socket
    this.#socket = undefined
    socket?.close()
    clearTimeout(this.#silence)
    this.isTailing = false
    this.#become('lost')
    this.#backOff.wait()
  }

  #become(connection: Connection): void {
    this.connection = connection
    this.#tell('connection')
  }

  #watchSilence(): void {
    clearTimeout(this.#silence)
    this.#silence = setTimeout(() => this.#lose(), SILENCE_MS)
  }

  #askForTail(): void {
    this.isTailing = false
    this.#tell('tail')
    if (this.#socket?.readyState !== WebSocket.OPEN) return
    const channel = this.#tailed as (LiveRequest & { type: 'tail' })['channel'] | undefined
    const request: LiveRequest =
      channel === undefined ? { type: 'untail' } : { type: 'tail', channel }
    this.#socket.send(JSON.stringify(request))
  }

  #heard(data: string): void {
    this.#watchSilence()
    const told = readJson(data) as LiveReport | ChannelEvent[]
    if (Array.isArray(told)) return this.#onEvents(told)
    switch (told.type) {
      case 'tailing':
        this.isTailing = told.channel === this.#tailed
        return this.#tell('tail')
      case 'figures':
        this.reading = told.figures
        this.uptimeSeconds = told.uptime_seconds
        this.#extend(told.time, told.figures)
        return this.#tell('figures')
      default:
        return told satisfies never
    }
  }

  #takeHistory(history: FiguresResponse): void {
    this.version = history.version
    this.uptimeSeconds = history.uptime_seconds
    this.#intervalMs = history.interval_seconds * 1000
    this.times = history.times
    this.series = history.series
    this.reading = history.current
    this.#tell('figures')
  }

  /** The series go on with what is told live, at their own pace. */
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

  #tell(topic: Topic): void {
    this.dispatchEvent(new Event(topic))
  }
}

/** The one of this page. */
export const live = new Live()
