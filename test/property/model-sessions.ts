/** The expected events of each sink: live, after a reconnect, and when one sink supersedes another. */
import type { Expected, Listener, Model, ModelConnection } from './model.ts'

/** A cursor that a client sends. */
export interface Named {
  readonly n: number
  readonly isForeign: boolean
}

/** A client opens the connection. Returns undefined for a poll while a stream is open. */
export function open(
  model: Model,
  connection: ModelConnection,
  kind: Listener['kind'],
  named: Named | undefined,
): Listener | undefined {
  if (kind === 'poll' && connection.listener?.kind === 'stream') return undefined
  supersede(connection)
  const { head } = model.log
  const known = connection.cursor
  const after = named && !named.isForeign ? named.n : known
  const { pending, gap } = missedSince(model, connection, after)
  const isLost = named?.isForeign === true || after > head
  const all = topicsOf(connection)
  const isReturning = connection.wasOpened || named !== undefined
  const told = isLost ? { required: all, allowed: all } : gap
  const tells = pending.length > 0 || (isReturning && told.allowed.length > 0)
  const listener: Listener = {
    kind,
    received: [],
    pending,
    isWritable: true,
    startedAt: tells ? known : head,
    caughtUpTo: head,
    isPatchy: told.allowed.length > 0,
    gap: isReturning ? told : { required: [], allowed: [] },
  }
  Object.assign(connection, { wasOpened: true, dueAt: undefined, listener })
  if (pending.length === 0) connection.cursor = head
  return listener
}

/** The newer sink gets what the older one has not received: of a poll that was not answered, everything. */
function supersede(connection: ModelConnection): void {
  const { listener } = connection
  if (!listener) return
  if (listener.kind === 'poll') connection.cursor = listener.startedAt
  listener.pending = []
}

const topicsOf = ({ user, channels }: ModelConnection): string[] => [
  `u:${user}`,
  ...[...channels.keys()].map((name) => `c:${name}`),
]

function missedSince(model: Model, connection: ModelConnection, after: number) {
  const required: string[] = []
  const allowed: string[] = []
  const byNumber = new Map<number, Expected>()
  for (const topic of topicsOf(connection)) {
    const since = connection.channels.get(topic.slice(2)) ?? 0
    const from = topic.startsWith('c:') ? Math.max(after, since) : after
    const missed = model.log.missed(topic, from, connection.user)
    if (missed.isGap) required.push(topic)
    if (missed.mayBeGap) allowed.push(topic)
    for (const { n, view } of missed.entries)
      byNumber.set(n, { n, view: { ...view, catchup: true } })
  }
  const pending = [...byNumber.values()].sort((one, other) => one.n - other.n)
  return { pending, gap: { required, allowed } }
}

/** Ends a turn: writable sinks get their pending events. */
export function flush({ connections }: Model): void {
  for (const connection of connections.values()) {
    const { listener } = connection
    const last = listener?.pending.at(-1)
    if (!listener?.isWritable || !last) continue
    listener.received.push(...listener.pending)
    listener.pending = []
    connection.cursor = Math.max(last.n, listener.caughtUpTo)
  }
}

/** Removes the sink; the connection waits for another one. `arrived`: false if the answer to a poll was lost. */
export function detach(
  { now }: Model,
  connection: ModelConnection,
  waitMs: number,
  arrived = true,
): void {
  const { listener } = connection
  if (listener && !arrived) connection.cursor = listener.startedAt
  if (listener) listener.pending = []
  connection.listener = undefined
  connection.dueAt = now + waitMs
}
