import { inBackground } from '../lib/in-background.ts'
import { CLOSE } from '../protocol/close-codes.ts'
import { errorAnswer } from '../protocol/error-answers.ts'
import { AdminLiveSocket } from './admin-live-socket.ts'
import { addWebSocketRoute } from './upgrades.ts'
import type { IncomingMessage } from 'node:http'
import type { FastifyPluginAsync, FastifySchema, onRequestAsyncHookHandler } from 'fastify'
import type { Guests } from '../core/sessions/guests.ts'
import type { Cancel, Clock } from '../lib/clock.ts'
import type { LiveReport, Reading } from '../protocol/admin.ts'

/** Measures figures while at least one panel is open. */
export interface FiguresFeed {
  /** Rejects if the store does not reply. */
  take(): Promise<Reading>
  stop(): void
}

export interface AdminLiveOptions {
  readonly guests: Guests
  readonly clock: Clock
  /** Rejects if the request is not from a signed-in panel of this server, or if the store is unavailable. */
  readonly admit: (request: IncomingMessage) => Promise<void>
  /** Runs for requests that are not upgrades. */
  readonly onPlainRequest: onRequestAsyncHookHandler
  /** Rejects if the store is unavailable. */
  readonly isSignedIn: (request: IncomingMessage) => Promise<boolean> | boolean
  readonly openFigures: () => FiguresFeed
  readonly uptimeSeconds: () => number
  /** The number of frames that a panel may send per second. 0: no limit. */
  readonly maxFramesPerSecond: number
  readonly onFault: (error: unknown) => void
}

const SCHEMA = {
  operationId: 'adminLive',
  tags: ['Admin API'],
  summary: 'Open the panel’s WebSocket',
  description:
    'Sends figures every second, and the events of a channel. For pages of this server only. ' +
    'Needs the session of the admin pages.',
  security: [{ session: [] }],
  response: {
    403: errorAnswer('FORBIDDEN', 'Not signed in, or a page of another site.'),
  },
} satisfies FastifySchema

const REPORT_INTERVAL_MS = 1_000

/**
 * `GET /admin/live`: live data of the admin panel. Each panel gets the figures every second, and the events of the one
 * channel that it tails.
 */
export class AdminLive {
  readonly #panels = new Set<AdminLiveSocket>()
  #cancelReports: Cancel | undefined
  #isReporting = false

  constructor(private readonly options: AdminLiveOptions) {}

  readonly route: FastifyPluginAsync = async (http) => {
    addWebSocketRoute(http, {
      url: '/admin/live',
      schema: SCHEMA,
      onRequest: this.options.onPlainRequest,
      admit: ({ raw }) => this.options.admit(raw),
      serve: ({ raw }, open) => this.#serve(raw, open),
    })
    // The route opens no further panels once the server stops.
    http.addHook('preClose', (done) => {
      for (const panel of this.#panels) panel.close(CLOSE.stopping)
      done()
    })
  }

  #serve(request: IncomingMessage, open: (panel: AdminLiveSocket) => void): void {
    const onClosed = (): void => this.#forget(panel)
    const panel = new AdminLiveSocket({ request, ...this.options, onClosed })
    this.#panels.add(panel)
    open(panel)
    if (!this.#cancelReports) this.#beginReports()
  }

  #forget(panel: AdminLiveSocket): void {
    this.#panels.delete(panel)
    if (this.#panels.size === 0) this.#endReports()
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

  /** Does nothing while the previous report waits for the store. */
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

  /** Closes panels whose session has ended. It may have ended on another server, so each session is looked up. */
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
    const text = Buffer.from(JSON.stringify(report))
    for (const panel of this.#panels) panel.report(text)
  }
}
