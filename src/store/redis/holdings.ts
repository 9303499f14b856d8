import { StoreAway } from '../store.ts'
import { partsOf } from './parts.ts'
import type { ConnId, UserName } from '../../protocol/ids.ts'
import type { Attachment, Command, SinkKind } from '../store.ts'
import type { ChannelName } from '../../protocol/ids.ts'
import type { Installation } from './installation.ts'
import type { Line } from './link.ts'
import type { Reply } from './encoding.ts'

/** Another server has so long to hand over a connection that a client opened here; then it is taken from it. */
const HANDOVER_MS = 1000
/** Connections that are written in one command: a script holds up everybody else. */
const AT_ONCE = 200
/** Leaves the cursor of a connection as it is. */
const AS_IT_WAS = -1

interface Owed {
  readonly cursor: number
  readonly waitMs: number
}

type AttachReply =
  | readonly ['unknown' | 'waits' | 'held']
  | readonly ['attached', UserName, cursor: string, returning: number, channels: readonly string[]]

/**
 * The connections that clients have open on this server, as far as Redis has to know. What could not be told while Redis
 * was away is told when it is back.
 */
export class Holdings {
  readonly #held = new Map<ConnId, SinkKind>()
  readonly #owed = new Map<ConnId, Owed>()
  readonly #awaited = new Map<ConnId, () => void>()

  constructor(
    private readonly installation: Installation,
    /** How long a connection waits whose client did not say whether it comes back. */
    private readonly orphanWaitMs: number,
    private readonly command: (command: Command) => void,
  ) {}

  async attach(connId: ConnId, kind: SinkKind): Promise<Attachment | 'waits' | undefined> {
    try {
      const reply = await this.#ask(connId, kind)
      if (reply[0] === 'unknown') return undefined
      if (reply[0] !== 'attached') return 'waits'
      this.#held.set(connId, kind)
      this.#owed.delete(connId)
      const [, user, cursor, returning, channels] = reply
      return {
        user,
        channels: readChannels(channels),
        cursor: Number(cursor),
        returning: returning === 1,
      }
    } catch (error) {
      // Redis may have done it, though nobody holds the connection here.
      if (error instanceof StoreAway && !this.#held.has(connId))
        this.#owed.set(connId, { cursor: AS_IT_WAS, waitMs: this.orphanWaitMs })
      throw error
    }
  }

  async detach(connId: ConnId, cursor: number, waitMs: number): Promise<void> {
    this.#held.delete(connId)
    try {
      await this.installation.run('detach', 1, connId, cursor, waitMs)
    } catch (error) {
      if (!(error instanceof StoreAway)) throw error
      this.#owed.set(connId, { cursor, waitMs })
    }
  }

  /** What other servers, or this one, did to a connection here. */
  told(type: string, connId: ConnId, since: number, channels: readonly ChannelName[]): void {
    switch (type) {
      case 'free':
        this.#awaited.get(connId)?.()
        break
      case 'joined':
        this.command({ type, connId, since, channels })
        break
      case 'left':
        this.command({ type, connId, channels })
        break
      case 'dropped':
      case 'moved':
        this.#gone(type, connId)
        break
      default: // of a newer version
    }
  }

  /** Redis is back. `isForgotten`: others took this server for dead, or know nothing of it any more. */
  async settle(line: Line, isForgotten: boolean): Promise<void> {
    for (const part of partsOf([...this.#owed], AT_ONCE)) {
      const args = part.flatMap(([connId, { cursor, waitMs }]) => [connId, cursor, waitMs])
      await this.installation.runOn(line, 'detach', part.length, ...args)
      for (const [connId] of part) this.#owed.delete(connId)
    }
    if (!isForgotten) return
    for (const part of partsOf([...this.#held], AT_ONCE)) {
      const lost = await this.installation.runOn(line, 'reclaim', part.length, ...part.flat())
      for (const [type, connId] of pairsOf(lost)) this.#gone(type, connId)
    }
  }

  #gone(type: 'dropped' | 'moved', connId: ConnId): void {
    // A connection that moves is handed over by its holder, which says where the client was.
    if (type === 'dropped') this.#held.delete(connId)
    this.command({ type, connId })
  }

  /** Asks the server that holds the connection to let go of it, and does not wait for ever. */
  async #ask(connId: ConnId, kind: SinkKind): Promise<AttachReply> {
    const freed = this.#freed(connId)
    try {
      const reply = await this.#tryAttach(connId, kind, false)
      if (reply[0] !== 'held') return reply
      await freed.promise
      const again = await this.#tryAttach(connId, kind, false)
      return again[0] === 'held' ? await this.#tryAttach(connId, kind, true) : again
    } finally {
      freed.cancel()
    }
  }

  async #tryAttach(connId: ConnId, kind: SinkKind, isForced: boolean): Promise<AttachReply> {
    const reply = await this.installation.run('attach', connId, kind, isForced ? 1 : 0)
    return reply as unknown as AttachReply
  }

  #freed(connId: ConnId) {
    let resolve!: () => void
    const promise = new Promise<void>((done) => (resolve = done))
    const timer = setTimeout(resolve, HANDOVER_MS)
    this.#awaited.set(connId, resolve)
    const cancel = (): void => {
      clearTimeout(timer)
      if (this.#awaited.get(connId) === resolve) this.#awaited.delete(connId)
    }
    return { promise, cancel }
  }
}

function readChannels(flat: readonly string[]): { name: ChannelName; since: number }[] {
  const channels: { name: ChannelName; since: number }[] = []
  for (let index = 0; index + 1 < flat.length; index += 2)
    channels.push({ name: flat[index] as ChannelName, since: Number(flat[index + 1]) })
  return channels
}

const pairsOf = (reply: Reply): (readonly ['dropped' | 'moved', ConnId])[] =>
  partsOf(reply as readonly string[], 2) as never
