import { pause, until } from '../helpers/http.ts'
import { ChaosClient } from './client.ts'
import { BEGINNING, answered } from './record.ts'
import type { Kind } from './client.ts'
import type { Fleet } from './fleet.ts'
import type { Chance } from './random.ts'
import type { Posted, Record, Stay } from './record.ts'

export const ROOMS = ['hall', 'kitchen', 'garden'] as const
const ROOM = { notify_presence: true }
export const CONFIGS = Object.fromEntries(ROOMS.map((room) => [room, ROOM]))
const SETTLING_MS = 120_000
const BEGINNING_MS = 3_000

/** Shared by all participants. */
export interface Scene {
  readonly fleet: Fleet
  readonly record: Record
  readonly chance: Chance
  readonly clients: ChaosClient[]
}

/** Connects a user to these rooms, and starts to listen. */
export async function enter(
  { fleet, record, chance, clients }: Scene,
  {
    user,
    rooms,
    kind,
  }: { readonly user: string; readonly rooms: readonly string[]; readonly kind: Kind },
): Promise<{ readonly client: ChaosClient; readonly stays: readonly Stay[] }> {
  const conn_id = crypto.randomUUID()
  const stays = rooms.map((room) => record.joins(conn_id, user, room))
  const request = { username: user, conn_id, channels: rooms, channel_configs: CONFIGS }
  await fleet.call(chance, 'POST /connect', request)
  for (const { joined } of stays) answered(joined)
  const client = new ChaosClient(user, conn_id, { fleet, chance: chance.fork(), kind })
  clients.push(client)
  return { client, stays }
}

export async function say(
  { fleet, record, chance }: Scene,
  by: string,
  to: { readonly room: string | null; readonly users: readonly string[] },
): Promise<Posted> {
  const posted = record.post(by, to.room, to.users)
  const { text } = posted
  const request = [{ user: by, channel: to.room, pm_users: to.users, message: { text } }]
  await fleet.call(chance, 'POST /message', request)
  answered(posted.when)
  return posted
}

/** Posts messages to rooms, to some users of a room, and private ones. */
export async function speak(
  scene: Scene,
  by: string,
  listeners: readonly string[],
  isOver: () => boolean,
) {
  const { chance } = scene
  while (!isOver()) {
    const users = chance.next() < 0.7 ? [] : [chance.pick(listeners), chance.pick(listeners)]
    const isPrivate = users.length > 0 && chance.next() < 0.5
    await say(scene, by, { room: isPrivate ? null : chance.pick(ROOMS), users })
    await pause(chance.between(20, 120))
  }
}

/** Waits until the client has received everything posted in the room so far. */
async function settle(scene: Scene, client: ChaosClient, stay: Stay): Promise<void> {
  const last = await say(scene, `${client.user}’s end`, { room: stay.room, users: [client.user] })
  const hasIt = () => client.events.some(({ message }) => message?.text === last.text)
  await until(hasIt, `"${last.text}" at ${client.user} in ${stay.room}`, SETTLING_MS)
  stay.settledAt = last.when.asked
}

/** Keeps one connection that repeatedly joins and leaves a room. */
export async function visit(
  scene: Scene,
  user: string,
  kind: Kind,
  isOver: () => boolean,
): Promise<void> {
  const { fleet, record, chance } = scene
  const { client } = await enter(scene, { user, rooms: [], kind })
  const { connId: conn_id } = client
  await awaitFirstEvent(scene, client)
  while (!isOver()) {
    const room = chance.pick(ROOMS)
    const stay = record.joins(conn_id, user, room)
    await fleet.call(chance, 'POST /subscribe', {
      conn_id,
      channels: [room],
      channel_configs: CONFIGS,
    })
    answered(stay.joined)
    await pause(chance.between(0, 3_000))
    if (chance.next() < 0.6) await settle(scene, client, stay)
    const left = record.leaves(stay, user)
    await fleet.call(chance, 'POST /unsubscribe', { conn_id, channels: [room] })
    answered(left)
    await pause(chance.between(0, 500))
  }
}

/**
 * Waits until the client has its first event, and with it a cursor. Without a cursor, events written to a broken socket
 * are lost, so messages are sent until one arrives.
 */
export async function awaitFirstEvent(scene: Scene, client: ChaosClient): Promise<void> {
  const deadline = performance.now() + SETTLING_MS
  while (client.events.length === 0) {
    if (performance.now() > deadline) throw new Error(`${client.user} was never told anything`)
    await say(scene, `${client.user}’s ${BEGINNING}`, { room: null, users: [client.user] })
    const isTold = () => client.events.length > 0
    await until(isTold, 'the beginning', BEGINNING_MS).catch(() => {}) // sent again
  }
}

/** Connects as a new user each time, until the backend disconnects it. */
export async function visitBriefly(
  scene: Scene,
  name: string,
  isOver: () => boolean,
): Promise<void> {
  const { fleet, record, chance } = scene
  for (let round = 1; !isOver(); round++) {
    const user = `${name}-${round}`
    const kind = chance.pick(['socket', 'poll'] as const)
    const { client, stays } = await enter(scene, { user, rooms: [chance.pick(ROOMS)], kind })
    const stay = stays[0] as Stay
    await awaitFirstEvent(scene, client)
    answered(stay.joined)
    await pause(chance.between(0, 2_000))
    await settle(scene, client, stay)
    // From here on, the connection may be gone, so the client may be refused.
    await client.stop()
    const left = record.leaves(stay, user)
    await fleet.call(chance, 'POST /disconnect', { conn_id: client.connId })
    answered(left)
  }
}
