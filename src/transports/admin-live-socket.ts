import { inBackground } from '../lib/in-background.ts'
import { parseLiveRequest } from '../protocol/admin.ts'
import { CLOSE } from '../protocol/close-codes.ts'
import { FrameSocket } from './frame-socket.ts'
import { PING_FRAME, listFrames, textFrames } from './websocket-frames.ts'
import type { IncomingMessage } from 'node:http'
import type { Batch } from '../core/delivery/batch.ts'
import type { Guest } from '../core/delivery/guest.ts'
import type { Guests } from '../core/sessions/guests.ts'
import type { LiveReport } from '../protocol/admin.ts'
import type { CloseReason } from '../protocol/close-codes.ts'
import type { ChannelName, UserName } from '../protocol/ids.ts'

interface AdminLiveSocketDeps {
  readonly request: IncomingMessage
  readonly guests: Guests
  readonly isSignedIn: (request: IncomingMessage) => Promise<boolean> | boolean
  readonly maxFramesPerSecond: number
  readonly onFault: (error: unknown) => void
  readonly onClosed: (panel: AdminLiveSocket) => void
}

/** The number of unanswered reports, one per second, after which a panel counts as gone. */
const MAX_SILENT_REPORTS = 30

/** An open admin panel. It is a guest in the channel that it tails. */
export class AdminLiveSocket extends FrameSocket {
  #guest: Guest | undefined
  #tailed: ChannelName | undefined
  /** The number of frames received since the last report. */
  #received = 0
  #silentReports = 0

  constructor(private readonly deps: AdminLiveSocketDeps) {
    super()
  }

  isSignedIn(): Promise<boolean> | boolean {
    return this.deps.isSignedIn(this.deps.request)
  }

  send(batch: Batch, after: number): void {
    this.write(batch.bytes(listFrames), after)
  }

  /** Sends a report, unless the panel has not read the last one. Destroys the socket of a silent panel. */
  report(text: Buffer): void {
    this.#received = 0
    if (!this.isOpen) return
    if (++this.#silentReports > MAX_SILENT_REPORTS) return this.abandon()
    if (this.writable) this.write(Buffer.concat([textFrames([text]), PING_FRAME]))
  }

  /** Does nothing: reports are the heartbeat. */
  heartbeat(): void {}

  override close(reason: CloseReason): void {
    this.#leave()
    super.close(reason)
  }

  received(message: Buffer): void {
    if (!this.#mayWrite()) return
    const request = parseLiveRequest(message.toString())
    if (!request) return this.#refuse(CLOSE.notUnderstood)
    const channel = request.type === 'tail' ? request.channel : undefined
    inBackground(this.#tail(channel), this.deps.onFault)
  }

  showedLife(): void {
    this.#silentReports = 0
    this.#mayWrite()
  }

  drained(): void {
    if (this.#guest) this.deps.guests.drained(this.#guest)
  }

  closed(): void {
    this.#leave()
    this.deps.onClosed(this)
  }

  /** Counts a frame of the panel. Returns false if the socket is closed; one frame too many closes it. */
  #mayWrite(): boolean {
    if (this.isClosing) return false
    const { maxFramesPerSecond } = this.deps
    if (maxFramesPerSecond === 0 || ++this.#received <= maxFramesPerSecond) return true
    this.#refuse(CLOSE.tooManyMessages)
    return false
  }

  #refuse(reason: CloseReason): void {
    this.close(reason)
    this.stopReading()
  }

  async #tail(channel: ChannelName | undefined): Promise<void> {
    const { guests } = this.deps
    const guest = (this.#guest ??= guests.open(guestName(), this))
    if (this.#tailed !== undefined) guests.unlisten(guest, [this.#tailed])
    this.#tailed = channel
    if (channel === undefined) return
    await guests.listen(guest, [channel])
    // Meanwhile the panel may have chosen another channel, or may be gone.
    if (this.#tailed !== channel) return
    const report: LiveReport = { type: 'tailing', channel }
    this.write(textFrames([Buffer.from(JSON.stringify(report))]))
  }

  #leave(): void {
    this.#tailed = undefined
    if (this.#guest) this.deps.guests.close(this.#guest)
  }
}

/** Returns a name that no private message is addressed to, so that the panel gets none. */
const guestName = (): UserName => `admin panel ${crypto.randomUUID()}` as UserName
