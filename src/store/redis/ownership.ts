import { chunksOf } from '../../lib/chunks.ts'
import { inBackground } from '../../lib/in-background.ts'
import { StoreUnavailable, channelTopic } from '../store.ts'
import type { ConnId, UserName } from '../../protocol/ids.ts'
import type { ChannelName } from '../../protocol/ids.ts'
import type { Attachment, Command, Since, SinkKind } from '../store.ts'
import type { Connection } from './connection.ts'
import type { ScriptRunner } from './script-runner.ts'

/** How long another server has to hand over a connection that a client opened here. After that, it is taken anyway. */
const HANDOVER_MS = 1000
/** Connections per command. A script blocks Redis, so it has to be short. */
const AT_ONCE = 200
/** Cursor argument that keeps the stored cursor. */
const KEEP_CURSOR = -1

interface HeldConnection {
  readonly kind: SinkKind
  /** Fencing token, unique in the installation: a server with an older one has lost the connection. */
  readonly attachmentNumber: number
}

interface PendingRelease {
  /** 0: unknown. */
  readonly attachmentNumber: number
  readonly cursor: number
  readonly waitMs: number
}

/** For a connection that Redis may have attached here, although the reply was lost. */
const UNKNOWN_RELEASE: PendingRelease = { attachmentNumber: 0, cursor: KEEP_CURSOR, waitMs: 0 }

type Reclaimed = readonly ['dropped' | 'moved' | 'is-in', ConnId, channels: readonly string[]]

type AttachReply =
  | readonly ['unknown' | 'waits' | 'held' | 'superseded']
  | readonly [
      ...['attached', UserName, cursor: string, returning: number],
      ...[channels: readonly string[], attachmentNumber: number],
    ]

/**
 * Keeps in Redis which connections clients have open on this server. Releases that fail while Redis is unavailable are
 * sent when it is back.
 */
export class Ownership {
  readonly #held = new Map<ConnId, HeldConnection>()
  readonly #pendingReleases = new Map<ConnId, PendingRelease>()
  readonly #waiters = new Map<ConnId, Set<() => void>>()
  /** Pending attach requests, by connection. */
  readonly #attaching = new Map<ConnId, Set<Promise<unknown>>>()

  constructor(
    private readonly runner: ScriptRunner,
    /** How long a connection waits for its client if it is not known whether that comes back. */
    private readonly orphanWaitMs: number,
    private readonly onCommand: (command: Command) => void,
    private readonly onFault: (error: unknown) => void,
  ) {}

  async attach(
    connId: ConnId,
    kind: SinkKind,
  ): Promise<Attachment | 'waits' | 'superseded' | undefined> {
    try {
      const reply = await this.#attachWithHandover(connId, kind)
      if (reply[0] === 'unknown') return undefined
      if (reply[0] === 'superseded') return 'superseded'
      if (reply[0] !== 'attached') return 'waits'
      this.#pendingReleases.delete(connId)
      const [, user, cursor, returning, channels, attachmentNumber] = reply
      const isStream = kind === 'stream' || this.#held.get(connId)?.kind === 'stream'
      this.#held.set(connId, { kind: isStream ? 'stream' : 'poll', attachmentNumber })
      return {
        user,
        channels: readChannels(channels),
        cursor: Number(cursor),
        returning: returning === 1,
      }
    } catch (error) {
      // Redis may have attached the connection although no client holds it here: release it later.
      if (error instanceof StoreUnavailable && !this.#held.has(connId)) {
        const { attachmentNumber, cursor, waitMs } =
          this.#pendingReleases.get(connId) ?? UNKNOWN_RELEASE
        this.#pendingReleases.set(connId, {
          attachmentNumber,
          cursor,
          waitMs: Math.max(waitMs, this.orphanWaitMs),
        })
      }
      throw error
    }
  }

  async detach(connId: ConnId, cursor: number, waitMs: number): Promise<void> {
    const attachmentNumber = this.#held.get(connId)?.attachmentNumber ?? 0
    this.#held.delete(connId)
    try {
      await this.runner.run('detach', 1, connId, attachmentNumber, cursor, waitMs)
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      this.#pendingReleases.set(connId, { attachmentNumber, cursor, waitMs })
    }
  }

  /**
   * Handles a message about a connection on this server, sent by any server. `details`: names of channels, or the reason
   * of `dropped`, which servers of older versions do not send.
   */
  onMessage(type: string, connId: ConnId, since: number, details: readonly string[]): void {
    const channels = details as readonly ChannelName[]
    switch (type) {
      case 'free':
        for (const wake of this.#waiters.get(connId) ?? []) wake()
        break
      case 'joined':
        this.onCommand({ type, connId, since, channels })
        break
      case 'left':
        this.onCommand({ type, connId, channels })
        break
      case 'dropped':
        this.#giveUp(type, connId, details[0])
        break
      case 'moved':
        inBackground(this.#handOver(connId, since), this.onFault)
        break
      default: // from a newer version
    }
  }

  /** Synchronizes with Redis on a new connection: sends releases, and reads what happened to connections held here. */
  async settle(connection: Connection): Promise<void> {
    await this.#sendPendingReleases((...args) => this.runner.runOn(connection, 'detach', ...args))
    for (const chunk of chunksOf([...this.#held], AT_ONCE)) {
      const args = chunk.flatMap(([connId, { kind, attachmentNumber }]) => [
        connId,
        kind,
        attachmentNumber,
      ])
      const reply = await this.runner.runOn(connection, 'reclaim', chunk.length, ...args)
      for (const [type, connId, channels] of reply as unknown as readonly Reclaimed[])
        if (type === 'is-in') this.onCommand({ type, connId, channels: sinceOf(channels) })
        else this.#giveUp(type, connId)
    }
  }

  /** Sends releases that were added during `settle`. */
  async resume(): Promise<void> {
    try {
      await this.#sendPendingReleases((...args) => this.runner.run('detach', ...args))
    } catch (error) {
      // If Redis is unavailable again, the releases stay pending.
      if (!(error instanceof StoreUnavailable)) throw error
    }
  }

  async #sendPendingReleases(
    detach: (...args: (string | number)[]) => Promise<unknown>,
  ): Promise<void> {
    for (const chunk of chunksOf([...this.#pendingReleases], AT_ONCE)) {
      // An attach that is under way makes the release obsolete.
      const due = chunk.filter(
        ([connId, release]) =>
          this.#pendingReleases.get(connId) === release && !this.#attaching.has(connId),
      )
      const args = due.flatMap(([connId, { attachmentNumber, cursor, waitMs }]) => [
        ...[connId, attachmentNumber, cursor, waitMs],
      ])
      if (due.length > 0) await detach(due.length, ...args)
      for (const [connId, release] of due)
        if (this.#pendingReleases.get(connId) === release) this.#pendingReleases.delete(connId)
    }
  }

  #giveUp(type: 'dropped' | 'moved', connId: ConnId, reason?: string): void {
    // A connection that moves stays held: `detach` hands it over, with the cursor of the client.
    if (type === 'dropped') this.#held.delete(connId)
    this.onCommand({ type, connId, ...(reason !== undefined && { reason }) })
  }

  /**
   * Hands over a connection to another server. The request may arrive before the reply to the attach here, so waits for
   * that reply first.
   */
  async #handOver(connId: ConnId, attachmentNumber: number): Promise<void> {
    await Promise.allSettled([...(this.#attaching.get(connId) ?? [])])
    await new Promise((resolve) => setImmediate(resolve))
    const held = this.#held.get(connId)
    if (held && held.attachmentNumber <= attachmentNumber) this.#giveUp('moved', connId)
  }

  /** Attaches a connection. If another server holds it, waits for the handover, but takes it after a timeout anyway. */
  async #attachWithHandover(connId: ConnId, kind: SinkKind): Promise<AttachReply> {
    const waiting = this.#waitForRelease(connId)
    try {
      let reply = await this.#tryAttach(connId, kind, 'first')
      while (reply[0] === 'held')
        reply = await this.#tryAttach(connId, kind, await waiting.outcome())
      return reply
    } finally {
      waiting.end()
    }
  }

  async #tryAttach(
    connId: ConnId,
    kind: SinkKind,
    attempt: 'first' | 'told' | 'late',
  ): Promise<AttachReply> {
    const pending = this.runner.run('attach', connId, kind, attempt)
    const remove = addTo(this.#attaching, connId, pending)
    try {
      return (await pending) as unknown as AttachReply
    } finally {
      remove()
    }
  }

  /** Each call of `outcome` waits for a notification about the connection; all together wait at most `HANDOVER_MS`. */
  #waitForRelease(connId: ConnId) {
    let [isNotified, isLate] = [false, false]
    let wake = (): void => {}
    const timer = setTimeout(() => {
      isLate = true
      wake()
    }, HANDOVER_MS)
    const remove = addTo(this.#waiters, connId, () => {
      isNotified = true
      wake()
    })
    const outcome = async (): Promise<'told' | 'late'> => {
      if (!isNotified && !isLate) await new Promise<void>((resolve) => (wake = resolve))
      isNotified = false
      return isLate ? 'late' : 'told'
    }
    const end = (): void => {
      clearTimeout(timer)
      remove()
    }
    return { outcome, end }
  }
}

/** Returns a function that removes the value again. */
function addTo<Key, Value>(sets: Map<Key, Set<Value>>, key: Key, value: Value): () => void {
  const values = sets.get(key) ?? new Set()
  sets.set(key, values.add(value))
  return () => {
    values.delete(value)
    if (values.size === 0 && sets.get(key) === values) sets.delete(key)
  }
}

function readChannels(flat: readonly string[]): { name: ChannelName; since: number }[] {
  const channels: { name: ChannelName; since: number }[] = []
  for (let index = 0; index + 1 < flat.length; index += 2)
    channels.push({ name: flat[index] as ChannelName, since: Number(flat[index + 1]) })
  return channels
}

const sinceOf = (flat: readonly string[]): Since[] =>
  readChannels(flat).map(({ name, since }) => ({ topic: channelTopic(name), after: since }))
