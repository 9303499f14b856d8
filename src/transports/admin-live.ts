import { WebSocketServer } from 'ws'
import { inBackground } from '../lib/in-background.ts'
import { CLOSE } from '../protocol/close-codes.ts'
import { RequestError } from '../protocol/errors.ts'
import { AdminLiveSocket } from './admin-live-socket.ts'
import { readFrames } from './frame-socket.ts'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { Guests } from '../core/sessions/guests.ts'
import type { Cancel, Clock } from '../lib/clock.ts'
import type { LiveReport, Reading } from '../protocol/admin.ts'
import type { CloseReason } from '../protocol/close-codes.ts'

/** Takes figures for as long as somebody looks at them. */
export interface FiguresFeed {
  /** Rejects if the store does not answer. */
  take(): Promise<Reading>
  stop(): void
}

export interface AdminLiveOptions {
  readonly guests: Guests
  readonly clock: Clock
  /** Rejects if the request may not listen here, or if nobody can say. */
  readonly admit: (request: IncomingMessage) => Promise<void>
  /** Rejects if nobody can say. */
  readonly isSignedIn: (request: IncomingMessage) => Promise<boolean> | boolean
  readonly openFigures: () => FiguresFeed
  readonly uptimeSeconds: () => number
  /** Biggest frame that a panel may send; a bigger one closes the socket with 1009. */
  readonly maxFrameBytes: number
  /** Frames that a panel may send in a second; 0 for no limit. */
  readonly maxFramesPerSecond: number
  readonly onFault: (error: unknown) => void
}

const REPORT_INTERVAL_MS = 1_000
const CLOSE_TIMEOUT_MS = 3_000

/**
 * `GET /admin/live`: what the admin panel shows without asking. Each panel gets the figures every second, and what is
 * announced in the one channel that it tails.
 */
export class AdminLive {
  readonly #server: WebSocketServer
  readonly #panels = new Set<AdminLiveSocket>()
  #cancelReports: Cancel | undefined
  #isReporting = false
  #isClosed = false

  constructor(private readonly options: AdminLiveOptions) {
    const settings = {
      noServer: true,
      clientTracking: false,
      maxPayload: options.maxFrameBytes,
      perMessageDeflate: false,
      closeTimeout: CLOSE_TIMEOUT_MS,
    }
    this.#server = new WebSocketServer(settings)
  }

  /** Answers an upgrade. Rejects with why it is refused. */
  readonly upgrade = async (
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
  ): Promise<void> => {
    await this.options.admit(request)
    // One that opened now would be closed by nobody.
    if (this.#isClosed) throw new RequestError('STOPPING')
    this.#server.handleUpgrade(request, socket, readFrames(socket, head), (webSocket) => {
      this.#open(new AdminLiveSocket(webSocket, { request, socket, ...this.options }), webSocket)
    })
  }

  /** For good: the server stops. */
  closeAll(reason: CloseReason): void {
    this.#isClosed = true
    for (const panel of this.#panels) panel.close(reason)
  }

  terminate(): void {
    for (const panel of this.#panels) panel.abandon()
  }

  #open(panel: AdminLiveSocket, webSocket: WebSocket): void {
    this.#panels.add(panel)
    webSocket.once('close', () => {
      this.#panels.delete(panel)
      if (this.#panels.size === 0) this.#endReports()
    })
    if (!this.#cancelReports) this.#beginReports()
  }

  #beginReports(): void {
    const feed = this.options.openFigures()
    const report = (): void => inBackground(this.#report(feed), this.options.onFault)
    const cancel = this.options.clock.every(REPORT_INTERVAL_MS, report)
    this.#cancelReports = () => {
      cancel()
      feed.stop()
    }
    report()
  }

  #endReports(): void {
    this.#cancelReports?.()
    this.#cancelReports = undefined
  }

  /** Skipped while the last one still waits for the store. */
  async #report(feed: FiguresFeed): Promise<void> {
    if (this.#isReporting) return
    this.#isReporting = true
    try {
      await this.#closeSignedOut()
      await this.#sendReport(feed)
    } finally {
      this.#isReporting = false
    }
  }

  /** A session may have ended at another server, so all of them are looked up. */
  async #closeSignedOut(): Promise<void> {
    const check = async (panel: AdminLiveSocket): Promise<void> => {
      if (!(await panel.isSignedIn())) panel.close(CLOSE.signedOut)
    }
    await Promise.all([...this.#panels].map(check))
  }

  async #sendReport(feed: FiguresFeed): Promise<void> {
    const report: LiveReport = {
      type: 'figures',
      time: Math.floor(this.options.clock.wallTime()),
      uptime_seconds: this.options.uptimeSeconds(),
      figures: await feed.take(),
    }
    const text = JSON.stringify(report)
    for (const panel of this.#panels) panel.report(text)
  }
}
