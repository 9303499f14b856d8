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
const AS_IT_WAS = -1

interface HeldConnection {
  readonly kind: SinkKind
  /** Which attachment this is, of all in the installation. */
  readonly turn: number
}

interface PendingRelease {
  /** 0: unknown. */
  readonly turn: number
  readonly cursor: number
  readonly waitMs: number
}

/** Of a connection that may be attached here, though nobody knows. */
const UNKNOWN: PendingRelease = { turn: 0, cursor: AS_IT_WAS, waitMs: 0 }

type Reclaimed = readonly ['dropped' | 'moved' | 'is-in', ConnId, channels: readonly string[]]

type AttachReply =
  | readonly ['unknown' | 'waits' | 'held' | 'superseded']
  | readonly [
      ...['attached', UserName, cursor: string, returning: number],
      ...[channels: readonly string[], turn: number],
    ]

/**
 * The connections that clients have open on this server, as far as Redis has to know. What could not be told while Redis
 * was away is told when it is back.
 */
export class Ownership {
  readonly #held = new Map<ConnId, HeldConnection>()
  readonly #pendingReleases = new Map<ConnId, PendingRelease>()
  readonly #awaited = new Map<ConnId, Set<() => void>>()
  /** Connections that are being asked for, with those of their requests that are not answered. */
  readonly #asking = new Map<ConnId, Set<Promise<unknown>>>()

  constructor(
    private readonly runner: ScriptRunner,
    /** How long a connection waits whose client did not say whether it comes back. */
    private readonly orphanWaitMs: number,
    private readonly command: (command: Command) => void,
    private readonly onFault: (error: unknown) => void,
  ) {}

  async attach(
    connId: ConnId,
    kind: SinkKind,
  ): Promise<Attachment | 'waits' | 'superseded' | undefined> {
    try {
      const reply = await this.#ask(connId, kind)
      if (reply[0] === 'unknown') return undefined
      if (reply[0] === 'superseded') return 'superseded'
      if (reply[0] !== 'attached') return 'waits'
      this.#pendingReleases.delete(connId)
      const [, user, cursor, returning, channels, turn] = reply
      const isStream = kind === 'stream' || this.#held.get(connId)?.kind === 'stream'
      this.#held.set(connId, { kind: isStream ? 'stream' : 'poll', turn })
      return {
        user,
        channels: readChannels(channels),
        cursor: Number(cursor),
        returning: returning === 1,
      }
    } catch (error) {
      // Redis may have done it, though nobody holds the connection here.
      if (error instanceof StoreUnavailable && !this.#held.has(connId)) {
        const { turn, cursor, waitMs } = this.#pendingReleases.get(connId) ?? UNKNOWN
        this.#pendingReleases.set(connId, {
          turn,
          cursor,
          waitMs: Math.max(waitMs, this.orphanWaitMs),
        })
      }
      throw error
    }
  }

  async detach(connId: ConnId, cursor: number, waitMs: number): Promise<void> {
    const turn = this.#held.get(connId)?.turn ?? 0
    this.#held.delete(connId)
    try {
      await this.runner.run('detach', 1, connId, turn, cursor, waitMs)
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      this.#pendingReleases.set(connId, { turn, cursor, waitMs })
    }
  }

  /** What other servers, or this one, did to a connection here. */
  onMessage(type: string, connId: ConnId, since: number, channels: readonly ChannelName[]): void {
    switch (type) {
      case 'free':
        for (const ask of this.#awaited.get(connId) ?? []) ask()
        break
      case 'joined':
        this.command({ type, connId, since, channels })
        break
      case 'left':
        this.command({ type, connId, channels })
        break
      case 'dropped':
        this.#gone(type, connId)
        break
      case 'moved':
        inBackground(this.#moved(connId, since), this.onFault)
        break
      default: // of a newer version
    }
  }

  /** Redis is back: what was done to connections here, and could not be told, is found out. */
  async settle(connection: Connection): Promise<void> {
    await this.#payOwed((...args) => this.runner.runOn(connection, 'detach', ...args))
    for (const part of chunksOf([...this.#held], AT_ONCE)) {
      const args = part.flatMap(([connId, { kind, turn }]) => [connId, kind, turn])
      const reply = await this.runner.runOn(connection, 'reclaim', part.length, ...args)
      for (const [type, connId, channels] of reply as unknown as readonly Reclaimed[])
        if (type === 'is-in') this.command({ type, connId, channels: sinceOf(channels) })
        else this.#gone(type, connId)
    }
  }

  /** What clients did while everything else was being found out is told as well. */
  async resume(): Promise<void> {
    try {
      await this.#payOwed((...args) => this.runner.run('detach', ...args))
    } catch (error) {
      // Away again: it stays owed.
      if (!(error instanceof StoreUnavailable)) throw error
    }
  }

  async #payOwed(detach: (...args: (string | number)[]) => Promise<unknown>): Promise<void> {
    for (const part of chunksOf([...this.#pendingReleases], AT_ONCE)) {
      // Who is being attached again is not owed any more once that is answered.
      const due = part.filter(
        ([connId, owed]) => this.#pendingReleases.get(connId) === owed && !this.#asking.has(connId),
      )
      const args = due.flatMap(([connId, { turn, cursor, waitMs }]) => [
        ...[connId, turn, cursor, waitMs],
      ])
      if (due.length > 0) await detach(due.length, ...args)
      for (const [connId, owed] of due)
        if (this.#pendingReleases.get(connId) === owed) this.#pendingReleases.delete(connId)
    }
  }

  #gone(type: 'dropped' | 'moved', connId: ConnId): void {
    // A connection that moves is handed over by its holder, which says where the client was.
    if (type === 'dropped') this.#held.delete(connId)
    this.command({ type, connId })
  }

  /**
   * Another server asks for what was attached here in this turn. That may be heard before the answer which says that it
   * was: whoever is to let go of it has to have it first.
   */
  async #moved(connId: ConnId, turn: number): Promise<void> {
    await Promise.allSettled([...(this.#asking.get(connId) ?? [])])
    await new Promise((resolve) => setImmediate(resolve))
    const held = this.#held.get(connId)
    if (held && held.turn <= turn) this.#gone('moved', connId)
  }

  /** Asks the server that holds the connection to let go of it, and does not wait for ever. */
  async #ask(connId: ConnId, kind: SinkKind): Promise<AttachReply> {
    const waiting = this.#wait(connId)
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
    const asked = this.runner.run('attach', connId, kind, attempt)
    const remove = addTo(this.#asking, connId, asked)
    try {
      return (await asked) as unknown as AttachReply
    } finally {
      remove()
    }
  }

  /** Until something is told of the connection, each time; in all not longer than a server has to hand it over. */
  #wait(connId: ConnId) {
    let [isTold, isLate] = [false, false]
    let wake = (): void => {}
    const timer = setTimeout(() => {
      isLate = true
      wake()
    }, HANDOVER_MS)
    const remove = addTo(this.#awaited, connId, () => {
      isTold = true
      wake()
    })
    const outcome = async (): Promise<'told' | 'late'> => {
      if (!isTold && !isLate) await new Promise<void>((resolve) => (wake = resolve))
      isTold = false
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
