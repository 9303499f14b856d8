import { WebSocket } from 'ws'
import { LiveReport } from '../../src/protocol/admin.ts'
import { until, within } from './http.ts'
import type { Admin } from './admin.ts'
import type { Address } from './http.ts'
import type { ReceivedEvent } from './websocket.ts'

const panels: Panel[] = []

/** Call it after the tests of a file. */
export function closePanels(): void {
  for (const panel of panels.splice(0)) panel.destroy()
}

/** The WebSocket of the admin panel. */
export class Panel {
  readonly reports: LiveReport[] = []
  readonly events: ReceivedEvent[] = []
  readonly closed: Promise<number>
  private constructor(readonly socket: WebSocket) {
    socket.on('error', () => {}) // a close follows
    socket.on('message', (data: Buffer) => {
      const told: unknown = JSON.parse(data.toString())
      if (Array.isArray(told)) this.events.push(...(told as ReceivedEvent[]))
      else this.reports.push(LiveReport.parse(told))
    })
    this.closed = new Promise((resolve) => socket.on('close', resolve))
    panels.push(this)
  }

  /** Opens the WebSocket. Resolves with the HTTP status if it is refused. */
  static async open(
    at: Address,
    headers: Readonly<Record<string, string | undefined>>,
  ): Promise<Panel | number> {
    const given = Object.entries(headers).filter(([, value]) => value !== undefined)
    const socket = new WebSocket(`ws://${at.host}:${at.port}/admin/live`, {
      headers: Object.fromEntries(given) as Record<string, string>,
    })
    const panel = new Panel(socket)
    const outcome = new Promise<Panel | number>((resolve) => {
      socket.once('open', () => resolve(panel))
      socket.once('unexpected-response', (_, response) => resolve(response.statusCode ?? 0))
    })
    return within(outcome, 'the handshake')
  }

  /** Opens the WebSocket like the page of the panel, with the session of an admin. */
  static async openAs({ cookie }: Admin, at: Address): Promise<Panel> {
    const panel = await Panel.open(at, { cookie, origin: `http://${at.host}:${at.port}` })
    if (typeof panel === 'number') throw new Error(`refused with ${panel}`)
    return panel
  }

  send(request: unknown): void {
    this.socket.send(typeof request === 'string' ? request : JSON.stringify(request))
  }

  /** Subscribes to the events of a channel. Resolves once the server confirms it. */
  async tail(channel: string): Promise<void> {
    const isTold = (): boolean =>
      this.reports.some((report) => report.type === 'tailing' && report.channel === channel)
    this.send({ type: 'tail', channel })
    await until(isTold, `tailing ${channel}`)
  }

  get texts(): unknown[] {
    return this.events.map(({ message }) => message?.text)
  }

  destroy(): void {
    this.socket.terminate()
  }
}
