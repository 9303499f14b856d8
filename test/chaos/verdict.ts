import type { ReceivedEvent } from '../helpers/websocket.ts'
import type { ChaosClient } from './client.ts'
import type { Record } from './record.ts'

/** Lists all errors in the events that a client received, one per line. */
export function faultsOf(client: ChaosClient, record: Record): string[] {
  const who = `${client.user} (${client.connId.slice(0, 8)})`
  return [
    ...client.refusals.map((refusal) => `refused: ${refusal}`),
    ...faultsOfOrder(client.events),
    ...faultsOfMessages(client, record),
  ].map((fault) => `${who}: ${fault}`)
}

function* faultsOfOrder(events: readonly ReceivedEvent[]): Generator<string> {
  let before: readonly [epoch: string, n: number] | undefined
  for (const { id, type } of events) {
    const at = placeOf(id)
    if (type === 'gap') yield `gap at ${id}`
    else if (before && (at[0] !== before[0] || at[1] <= before[1]))
      yield `${type} ${id} after ${before.join('-')}`
    before = at
  }
}

function placeOf(id: string): readonly [epoch: string, n: number] {
  const [epoch = '', n = ''] = id.split('-')
  return [epoch, Number(n)]
}

function* faultsOfMessages(
  { connId, user, events }: ChaosClient,
  record: Record,
): Generator<string> {
  const told = new Set<string>()
  const newest = new Map<string, number>()
  for (const { type, message, id } of events) {
    if (type !== 'message') continue
    const text = message?.text ?? ''
    const posted = record.posted.get(text)
    if (!posted) {
      yield `told "${text}", which nobody posted`
      continue
    }
    if (told.has(text)) yield `doubled "${text}" at ${id}`
    told.add(text)
    if (record.fate(connId, user, posted) === 'never') yield `forbidden "${text}" at ${id}`
    // Each poster waits for one answer before the next post.
    const number = Number(text.split(' ').at(-1))
    if (number < (newest.get(posted.by) ?? 0)) yield `reordered "${text}" at ${id}`
    newest.set(posted.by, number)
  }
  for (const posted of record.posted.values())
    if (!told.has(posted.text) && record.fate(connId, user, posted) === 'must')
      yield `missed "${posted.text}" in ${String(posted.room)}`
}

/** Compares the presence events that a permanent resident of all rooms received with what later users did. */
export function faultsOfPresence(
  client: ChaosClient,
  before: readonly string[],
  record: Record,
): string[] {
  const told = new Map<string, string[]>()
  for (const { type, user, channel, message } of client.events) {
    if (type !== 'presence') continue
    const key = `${String(user)} in ${String(channel)}`
    told.set(key, [...(told.get(key) ?? []), message?.action ?? ''])
  }
  return record.movers
    .filter(([user]) => !before.includes(user))
    .flatMap(([user, room]) => {
      const right = record.movesOf(user, room).join()
      const heard = (told.get(`${user} in ${room}`) ?? []).join()
      return heard === right ? [] : [`${client.user}: ${user} in ${room}: ${heard}, not ${right}`]
    })
}
