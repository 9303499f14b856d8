/** Calls for the connections that a request names: one by its `conn_id`, or all of a user. */
import { chunksOf } from '../lib/chunks.ts'
import { byCodePoint } from '../lib/code-points.ts'
import { complaint } from '../protocol/complaints.ts'
import { invalid } from '../protocol/errors.ts'
import { unknownConnection } from './naming.ts'
import type { Yielder } from '../lib/yielder.ts'
import type { ChannelName, ConnId, UserName } from '../protocol/ids.ts'
import type { Awaitable, Membership, Store } from '../store/store.ts'

/** Calls to the store under way at once. */
const AT_ONCE = 50

export interface ByUserDeps {
  readonly store: Pick<Store, 'users'>
  readonly maybeYield: Yielder
}

export interface ConnectionsInRequest {
  readonly conn_id?: ConnId | undefined
  readonly username?: UserName | undefined
}

/** What a call has changed, and all channels that these connections are in. Sorted by code point. */
export interface Reached {
  readonly user: UserName
  readonly changed: readonly ChannelName[]
  readonly channels: readonly ChannelName[]
  /** Only for all connections of a user. */
  readonly connIds?: readonly ConnId[]
}

/** Throws `INVALID` for an unknown connection, but not for a user without connections. */
export async function reach(
  deps: ByUserDeps,
  { conn_id: connId, username }: ConnectionsInRequest,
  call: (connId: ConnId) => Awaitable<Membership | undefined>,
): Promise<Reached> {
  if (username === undefined) {
    const membership = connId && (await call(connId))
    if (!membership) throw invalid(unknownConnection())
    return reached(membership.user.name, [membership])
  }
  if (connId !== undefined) throw invalid(complaint(['username'], 'Not together with conn_id.'))
  const found = await eachConnectionOf(deps, username, call)
  const all = [...found.values()].filter((membership) => membership !== undefined)
  const connIds = [...found].filter(([, membership]) => membership).map(([id]) => id)
  return { ...reached(username, all), connIds }
}

const reached = (user: UserName, memberships: readonly Membership[]): Reached => ({
  user,
  changed: union(memberships.map(({ changed }) => changed)),
  channels: union(memberships.map(({ channels }) => channels)),
})

/** Makes a call for each connection that the user has. One that is made meanwhile may be left out. */
export async function eachConnectionOf<Result>(
  { store, maybeYield }: ByUserDeps,
  username: UserName,
  call: (connId: ConnId) => Awaitable<Result>,
): Promise<ReadonlyMap<ConnId, Result>> {
  const [user] = await store.users([username], { connections: true })
  const results = new Map<ConnId, Result>()
  for (const chunk of chunksOf(user?.connections ?? [], AT_ONCE)) {
    const found = await Promise.all(chunk.map(async (id) => [id, await call(id)] as const))
    for (const [id, result] of found) results.set(id, result)
    await maybeYield()
  }
  return results
}

const union = (lists: readonly (readonly ChannelName[])[]): ChannelName[] =>
  [...new Set(lists.flat())].sort(byCodePoint)
