import { chunksOf } from '../../lib/chunks.ts'
import { inBackground } from '../../lib/in-background.ts'
import { StoreUnavailable, channelTopic } from '../store.ts'
import type { ConnId, UserName } from '../../protocol/ids.ts'
import type { ChannelName } from '../../protocol/ids.ts'
import type { Attachment, Command, Since, SinkKind } from '../store.ts'
import type { Connection } from './connection.ts'
import type { ScriptRunner } from './script-runner.ts'

/** Another server has so long to hand over a connection that a client opened here; then it is taken from it. */
const HANDOVER_MS = 1000
/** Connections that are written in one command: a script holds up everybody else. */
const AT_ONCE = 200
/** Leaves the cursor of a connection as it is. */
const KEEP_CURSOR = -1

interface HeldConnection {
  readonly kind: SinkKind
  /** Which attachment this is, of all in the installation. */
  readonly attachmentNumber: number
}

interface PendingRelease {
  /** 0: unknown. */
  readonly attachmentNumber: number
  readonly cursor: number
  readonly waitMs: number
}

/** Of a connection that may be attached here, though nobody knows. */
const UNKNOWN_RELEASE: PendingRelease = { attachmentNumber: 0, cursor: KEEP_CURSOR, waitMs: 0 }

type Reclaimed = readonly ['dropped' | 'moved' | 'is-in', ConnId, channels: readonly string[]]

type AttachReply =
  | readonly ['unknown' | 'waits' | 'held' | 'superseded']
  | readonly [
      ...['attached', UserName, cursor: string, returning: number],
      ...[channels: readonly string[], attachmentNumber: number],
    ]

/**
 * The connections that clients have open on this server, as far as Redis has to know. What could not be told while Redis
 * was away is told when it is back.
 */
export class Ownership {
  readonly #held = new Map<ConnId, HeldConnection>()
  readonly #pendingReleases = new Map<ConnId, PendingRelease>()
  readonly #waiters = new Map<ConnId, Set<() => void>>()
  /** Connections that are being asked for, with those of their requests that are not answered. */
  readonly #attaching = new Map<ConnId, Set<Promise<unknown>>>()

  constructor(
    private readonly runner: ScriptRunner,
    /** How long a connection waits whose client did not say whether it comes back. */
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
      // Redis may have done it, though nobody holds the connection here.
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

  /** What other servers, or this one, did to a connection here. */
  onMessage(type: string, connId: ConnId, since: number, channels: readonly ChannelName[]): void {
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
        this.#giveUp(type, connId)
        break
      case 'moved':
        inBackground(this.#handOver(connId, since), this.onFault)
        break
      default: // of a newer version
    }
  }

  /** Redis is back: what was done to connections here, and could not be told, is found out. */
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

  /** What clients did while everything else was being found out is told as well. */
  async resume(): Promise<void> {
    try {
      await this.#sendPendingReleases((...args) => this.runner.run('detach', ...args))
    } catch (error) {
      // Away again: it stays owed.
      if (!(error instanceof StoreUnavailable)) throw error
    }
  }

  async #sendPendingReleases(
    detach: (...args: (string | number)[]) => Promise<unknown>,
  ): Promise<void> {
    for (const chunk of chunksOf([...this.#pendingReleases], AT_ONCE)) {
      // Who is being attached again is not owed any more once that is answered.
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

  #giveUp(type: 'dropped' | 'moved', connId: ConnId): void {
    // A connection that moves is handed over by its holder, which says where the client was.
    if (type === 'dropped') this.#held.delete(connId)
    this.onCommand({ type, connId })
  }

  /**
   * Another server asks for what was attached here in this turn. That may be heard before the answer which says that it
   * was: whoever is to let go of it has to have it first.
   */
  async #handOver(connId: ConnId, attachmentNumber: number): Promise<void> {
    await Promise.allSettled([...(this.#attaching.get(connId) ?? [])])
    await new Promise((resolve) => setImmediate(resolve))
    const held = this.#held.get(connId)
    if (held && held.attachmentNumber <= attachmentNumber) this.#giveUp('moved', connId)
  }

  /** Asks the server that holds the connection to let go of it, and does not wait for ever. */
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

  /** Until something is told of the connection, each time; in all not longer than a server has to hand it over. */
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

/** Answers what takes it out again. */
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
