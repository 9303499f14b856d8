/** The clients of the driver and of the model that have a connection open. */
import { expect } from 'vitest'
import { compareEvents, hasAll, isCurrent } from './listening.ts'
import { detach, flush, open } from './model-sessions.ts'
import { connIdOf } from './operations.ts'
import { Transcript } from './transcript.ts'
import type { Client, Driver, Notice, Transport } from './driver.ts'
import type { Listening } from './listening.ts'
import type { Listener, Model, ModelConnection } from './model.ts'
import type { CursorChoice, OperationNamed } from './operations.ts'

/** Silence is noticed at a heartbeat. Heartbeats are 5 s apart and up to a fifth of that late. */
const SILENCE_NOTICED_WITHIN_MS = 7_000

export class Clients {
  #listening: Listening[] = []
  readonly #transcripts = new Map<ModelConnection, Transcript>()
  /** The number of the newest event when the settings of a channel changed last. */
  readonly #configuredAt = new Map<string, number>()
  /** Connections that may end: their client left, or a request ends them. */
  readonly #endable = new Set<string>()
  readonly #silentSince = new WeakMap<Client, number>()

  constructor(
    private readonly driver: Driver,
    private readonly model: Model,
  ) {}

  hasAll(): boolean {
    return this.#listening.every((listening) => hasAll(listening) && !this.#hangsOn(listening))
  }

  compare(): void {
    const { maxOutboxBytes } = this.driver.options
    expect([...this.#endable], 'connections that should have ended').toEqual([])
    for (const listening of this.#listening) compareEvents(listening, maxOutboxBytes)
    const left = this.#listening.filter((listening) => this.#hangsOn(listening))
    expect(left, 'open although their connection has ended').toEqual([])
    this.#checkSilence()
    this.#checkPresence()
    this.#listening = this.#listening.filter((listening) => this.#isOpen(listening))
  }

  /** A request ends the connection. */
  mayEnd(connId: string): void {
    this.#endable.add(connId)
  }

  async open(
    { slot, cursor, back }: OperationNamed<'open' | 'sse' | 'poll'>,
    transport: Transport,
  ): Promise<void> {
    const { driver, model } = this
    const connection = model.connections.get(connIdOf(slot))
    const named = driver.epoch === '' ? undefined : nameCursor(cursor, back, model.log.head)
    const spelled = named && `${named.isForeign ? 'other' : driver.epoch}-${named.n}`
    const opened = await driver.open(connIdOf(slot), transport, spelled)
    expect(opened === undefined, 'refused').toBe(connection === undefined)
    if (!opened || !connection) return
    if (connection.listener?.kind === 'poll') this.#giveUp(connection.listener)
    const transcript = this.#transcriptOf(connection)
    const known = connection.cursor
    const listener = open(model, connection, opened.client.kind, named)
    if (listener && named) transcript.goBack(named.isForeign ? known : named.n)
    if (listener) transcript.open(listener.isPatchy)
    this.#listening.push({ client: opened.client, listener, connection, transcript, seen: 0 })
    if (!opened.isAnswered || !listener) return
    flush(model)
    model.now = driver.now
    detach(model, connection, model.options.gcConnsMs)
    // Advances to the next whole second, so that no deadline passes while a poll is being answered.
    await driver.advance(1_000 - (driver.now % 1_000))
  }

  async answer({ slot, arrives }: OperationNamed<'answer'>): Promise<void> {
    const listening = this.#current(slot)
    if (listening?.client.kind !== 'poll') return
    await this.driver.answer(listening.client, arrives)
    detach(this.model, listening.connection, this.model.options.gcConnsMs, arrives)
    if (!arrives && listening.listener) this.#giveUp(listening.listener)
  }

  async leave({ slot, older }: OperationNamed<'leave'>): Promise<void> {
    const listening = this.#pick(slot, older)
    if (!listening || listening.client.kind === 'poll') return
    // A client that closes its event stream may have lost it.
    if (listening.client.transport === 'sse') return this.#breakOff(listening)
    if (isCurrent(listening)) this.#endable.add(listening.client.connId)
    this.#drop(listening)
    await this.driver.leave(listening.client)
  }

  async breakOff({ slot, older }: OperationNamed<'breakOff'>): Promise<void> {
    const listening = this.#pick(slot, older)
    if (listening && listening.client.kind !== 'poll') await this.#breakOff(listening)
  }

  async #breakOff(listening: Listening): Promise<void> {
    const { client, connection } = listening
    const { gcConnsMs, resumeWindowMs } = this.model.options
    const waitMs = client.transport === 'sse' ? gcConnsMs : resumeWindowMs
    if (isCurrent(listening)) detach(this.model, connection, waitMs)
    await this.driver.breakOff(client)
    this.#drop(listening)
  }

  async setWritable(slot: number, isWritable: boolean): Promise<void> {
    const listening = this.#current(slot)
    if (!listening?.listener || listening.client.kind === 'poll') return
    listening.listener.isWritable = isWritable
    await this.driver.setWritable(listening.client, isWritable)
  }

  fallSilent(slot: number): void {
    const listening = this.#current(slot)
    if (listening?.client.kind !== 'stream' || this.#silentSince.has(listening.client)) return
    this.driver.fallSilent(listening.client)
    this.#silentSince.set(listening.client, this.driver.now)
  }

  /** Applies a notice of the driver, including that of a client that left. */
  note(notice: Notice): void {
    const { model } = this
    flush(model)
    model.now = notice.at
    if (notice.type === 'ended') return this.#noteEnd(notice)
    const listening = this.#listening.find(({ client }) => client === notice.client)
    if (notice.type === 'over') return this.#noteOver(listening)
    expect(listening && isCurrent(listening), `${notice.type} without reason`).toBe(true)
    if (!listening?.listener) return
    if (notice.type === 'expelled') this.#checkExpelled(listening.listener)
    else this.#checkAbandoned(notice)
    detach(model, listening.connection, model.options.resumeWindowMs)
  }

  /** The connection joined or left the channels, so its events no longer show who is in them. */
  forgetPresence(connId: string, channels: readonly string[]): void {
    const connection = this.model.connections.get(connId)
    const transcript = connection && this.#transcripts.get(connection)
    for (const name of channels) transcript?.forgetPresence(name)
  }

  /** The channel's settings changed, so earlier events no longer show who is in it, also if they are caught up later. */
  forgetPresenceIn(channel: string): void {
    this.#configuredAt.set(channel, this.model.log.head)
    for (const transcript of this.#transcripts.values()) transcript.forgetPresence(channel)
  }

  #noteOver(listening: Listening | undefined): void {
    // Otherwise the client has closed it, or another one has taken over.
    if (!listening || !isCurrent(listening)) return
    detach(this.model, listening.connection, this.model.options.gcConnsMs)
  }

  #noteEnd({ connId, at }: Notice & { type: 'ended' }): void {
    const connection = this.model.connections.get(connId)
    const mayEnd = this.#endable.delete(connId)
    if (!connection) return
    const isDue = connection.dueAt !== undefined && connection.dueAt <= at
    expect(mayEnd || isDue, `ended early, due at ${connection.dueAt}, at ${at}`).toBe(true)
    this.model.end(connection)
    this.#transcripts.delete(connection)
  }

  #checkExpelled({ isWritable, pending }: Listener): void {
    expect(isWritable, 'expelled a client that reads').toBe(false)
    const most = pending.reduce((sum, { view }) => sum + JSON.stringify(view).length + 400, 0)
    expect(most, 'expelled too early').toBeGreaterThan(this.driver.options.maxOutboxBytes)
  }

  #checkAbandoned({ client, at }: Exclude<Notice, { type: 'ended' }>): void {
    const since = this.#silentSince.get(client) ?? at
    expect(at - since, 'abandoned early').toBeGreaterThan(this.model.options.gcConnsMs - 5_000)
  }

  #checkSilence(): void {
    const { driver, model } = this
    for (const { client } of this.#listening.filter(isCurrent)) {
      const silentMs = driver.now - (this.#silentSince.get(client) ?? driver.now)
      const most = model.options.gcConnsMs + SILENCE_NOTICED_WITHIN_MS
      expect(silentMs, 'silence that nobody noticed').toBeLessThanOrEqual(most)
    }
  }

  /** The last presence events of a client without pending events must match the members of the channel. */
  #checkPresence(): void {
    for (const { listener, connection, transcript } of this.#listening.filter(isCurrent)) {
      if (listener && listener.pending.length > 0) continue
      for (const name of connection.channels.keys()) {
        if (!this.model.channels.get(name)?.settings.notify_presence) continue
        const members = this.model.membersOf(name)
        expect(members).toEqual(expect.arrayContaining(transcript.lastTold(name, 'joined')))
        const parted = transcript.lastTold(name, 'parted')
        expect(parted.filter((user) => members.includes(user))).toEqual([])
      }
    }
  }

  #transcriptOf(connection: ModelConnection): Transcript {
    const known = this.#transcripts.get(connection)
    if (known) return known
    const made = new Transcript(connection.user, this.driver, this.#configuredAt)
    this.#transcripts.set(connection, made)
    return made
  }

  #current(slot: number): Listening | undefined {
    return this.#listening.find(
      (listening) => listening.client.connId === connIdOf(slot) && isCurrent(listening),
    )
  }

  #pick(slot: number, older: boolean): Listening | undefined {
    const mine = this.#listening.filter(({ client }) => client.connId === connIdOf(slot))
    const superseded = mine.find((listening) => !isCurrent(listening))
    return (older && superseded) || this.#current(slot)
  }

  #drop(listening: Listening): void {
    this.#listening = this.#listening.filter((other) => other !== listening)
  }

  /** The poll's answer never arrived, so the next sink gets its events. */
  #giveUp(listener: Listener): void {
    const listening = this.#listening.find((other) => other.listener === listener)
    if (!listening) return
    listening.transcript.goBack(listener.startedAt)
    this.#drop(listening)
  }

  #isOpen(listening: Listening): boolean {
    return isCurrent(listening) || (this.#isKnown(listening) && listening.client.kind === 'stream')
  }

  #isKnown({ connection }: Listening): boolean {
    return this.model.connections.get(connection.id) === connection
  }

  #hangsOn(listening: Listening): boolean {
    return (
      listening.listener !== undefined && !this.#isKnown(listening) && !listening.client.isClosed
    )
  }
}

function nameCursor(cursor: CursorChoice, back: number, head: number) {
  if (cursor === 'none') return undefined
  if (cursor === 'older') return { n: Math.max(0, head - back), isForeign: false }
  return cursor === 'ahead'
    ? { n: head + 1 + back, isForeign: false }
    : { n: back, isForeign: true }
}
