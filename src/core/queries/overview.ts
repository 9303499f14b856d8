import { INFO_DEFAULTS } from '../../protocol/requests.ts'
import { describeChannels } from './channels-info.ts'
import { PagedList, pagesOf } from './paged-answer.ts'
import type { Yielder } from '../../lib/yielder.ts'
import type { Store, UserRecord } from '../../store/store.ts'

/** Users per page. */
const PAGE = 500

/** Returns the content of admin.json, except for version and uptime. */
export async function overviewOf(deps: { readonly store: Store; readonly maybeYield: Yielder }) {
  const { store, maybeYield } = deps
  const figures = await store.figures()
  const { channels } = await describeChannels(deps, undefined, INFO_DEFAULTS)
  const names = await store.connectedUserNames()
  const rowsOf = async (page: readonly (typeof names)[number][]) =>
    (await store.users(page, { connections: true })).map(userRow)

  async function* userPages() {
    for await (const page of pagesOf(names, PAGE, maybeYield)) yield await rowsOf(page)
  }
  return {
    remembered_user_count: figures.users,
    unique_user_count: figures.connectedUsers,
    total_connections: figures.connections,
    total_channels: figures.channels,
    total_messages: figures.deliveries,
    total_unique_messages: figures.messages,
    channels,
    users: names.length > PAGE ? new PagedList(userPages()) : await rowsOf(names),
  }
}

const userRow = ({ name, uuid, publicState, connections }: UserRecord) => ({
  user: name,
  uuid,
  state: publicState,
  connections,
})
