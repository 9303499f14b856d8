import { WebSocket } from 'ws'
import { inBackground } from '../lib/in-background.ts'
import { parseLiveRequest } from '../protocol/admin.ts'
import { CLOSE } from '../protocol/close-codes.ts'
import { stopReading } from './frame-socket.ts'
import { listFrames } from './websocket-frames.ts'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Batch } from '../core/delivery/batch.ts'
import type { Sink } from '../core/delivery/connection.ts'
import type { Guest } from '../core/delivery/guest.ts'
import type { Guests } from '../core/sessions/guests.ts'
import type { LiveReport } from '../protocol/admin.ts'
import type { CloseReason } from '../protocol/close-codes.ts'
import type { ChannelName, UserName } from '../protocol/ids.ts'

interface Surroundings {
  readonly request: IncomingMessage
  /** The connection under the WebSocket: ready frames are written to it as they are. */
  readonly socket: Duplex
  readonly guests: Guests
  readonly isSignedIn: (request: IncomingMessage) => Promise<boolean> | boolean
  readonly maxFramesPerSecond: number
  readonly onFault: (error: unknown) => void
}

/** Reports that may go unanswered, one a second, before the panel counts as gone. */
const MAX_SILENT_REPORTS = 30

/** One admin panel that is open somewhere. While it tails a channel it is a guest there. */
export class AdminLiveSocket implements Sink {
  readonly kind = 'stream'
  #guest: Guest | undefined
  #tailed: ChannelName | undefined
  /** Frames from the panel since the last report. */
  #received = 0
  #silentReports = 0

  constructor(
    private readonly webSocket: WebSocket,
    private readonly around: Surroundings,
  ) {
    webSocket.on('message', (data: Buffer, isBinary) =>
      this.#heard(isBinary ? '' : data.toString()),
    )
    webSocket.on('ping', () => this.#heard())
    webSocket.on('pong', () => (this.#silentReports = 0))
    webSocket.on('close', () => this.#leave())
    // A frame that breaks the protocol, or a socket that broke: `ws` ends it, and `close` follows.
    webSocket.on('error', () => {})
  }

  isSignedIn(): Promise<boolean> | boolean {
    return this.around.isSignedIn(this.around.request)
  }

  get writable(): boolean {
    return this.webSocket.readyState === WebSocket.OPEN && !this.around.socket.writableNeedDrain
  }

  get held(): number {
    return this.around.socket.writableLength
  }

  send(batch: Batch): void {
    if (this.webSocket.readyState !== WebSocket.OPEN) return
    const { socket } = this.around
    if (!socket.write(batch.bytes(listFrames))) socket.once('drain', () => this.#drained())
  }

  /** A report. A panel that does not take what it was sent gets none, and one that stays silent is cut off. */
  report(text: string): void {
    this.#received = 0
    if (this.webSocket.readyState !== WebSocket.OPEN) return
    if (++this.#silentReports > MAX_SILENT_REPORTS) return this.abandon()
    if (!this.writable) return
    this.webSocket.send(text)
    this.webSocket.ping()
  }

  /** Reports are its heartbeat. */
  heartbeat(): void {}

  close({ code, text }: CloseReason): void {
    this.#leave()
    this.webSocket.close(code, text)
  }

  abandon(): void {
    this.webSocket.terminate()
  }

  /** Nobody takes over from a guest. */
  release(): undefined {
    return undefined
  }

  /** `text` undefined: a ping, which asks for nothing. */
  #heard(text?: string): void {
    const { maxFramesPerSecond, onFault } = this.around
    if (this.webSocket.readyState !== WebSocket.OPEN) return
    if (maxFramesPerSecond > 0 && ++this.#received > maxFramesPerSecond)
      return this.#refuse(CLOSE.tooManyMessages)
    if (text === undefined) return
    const request = parseLiveRequest(text)
    if (!request) this.#refuse(CLOSE.notUnderstood)
    else inBackground(this.#tail(request.type === 'tail' ? request.channel : undefined), onFault)
  }

  #refuse(reason: CloseReason): void {
    this.close(reason)
    stopReading(this.around.socket)
  }

  async #tail(channel: ChannelName | undefined): Promise<void> {
    const { guests } = this.around
    const guest = (this.#guest ??= guests.open(guestName(), this))
    if (this.#tailed !== undefined) guests.unlisten(guest, [this.#tailed])
    this.#tailed = channel
    if (channel === undefined) return
    await guests.listen(guest, [channel])
    // The panel may have asked for another one meanwhile, or be gone.
    if (this.#tailed !== channel) return
    const report: LiveReport = { type: 'tailing', channel }
    this.webSocket.send(JSON.stringify(report))
  }

  #leave(): void {
    this.#tailed = undefined
    if (this.#guest) this.around.guests.close(this.#guest)
  }

  #drained(): void {
    if (this.#guest) this.around.guests.drained(this.#guest)
  }
}

/** A name that nobody addresses a private message to, so that none is shown. */
const guestName = (): UserName => `admin panel ${crypto.randomUUID()}` as UserName
