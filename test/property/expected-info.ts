/** The expected and the actual description of channels, in one comparable form. */
import { allows } from './model-log.ts'
import type { ChannelsInfo, HistoryItem } from '../../src/protocol/responses.ts'
import type { Model } from './model.ts'

interface Asked {
  readonly include_history?: boolean
  readonly include_users?: boolean
  readonly return_public_state?: boolean
  readonly counts?: boolean
}

export function expectedInfo(
  model: Model,
  names: Iterable<string>,
  asked: Asked = {},
  viewer?: string,
) {
  const { include_history = true, include_users = true } = asked
  const known = [...new Set(names)].sort()
  const listed = (name: string) => (include_users ? model.membersOf(name) : [])
  const users = [...new Set(known.flatMap(listed))].sort().map((user) => ({
    user,
    state: asked.return_public_state ? model.publicState(user) : model.users.get(user)?.state,
  }))
  const channels = known.map((name) => ({
    name,
    settings: model.channels.get(name)?.settings,
    history: include_history ? history(model, name, viewer) : [],
    total_connections: model.connectionsIn(name).length,
    total_users: (asked.counts ? model.membersOf(name) : listed(name)).length,
    users: listed(name),
  }))
  return { channels, users }
}

function history(model: Model, name: string, viewer: string | undefined) {
  const stored = model.channels.get(name)?.history ?? []
  const seen = stored.filter(({ filter }) => viewer === undefined || allows(filter, viewer))
  return seen.map(({ view, filter, noHistory }) => ({
    ...view,
    catchup: false,
    pm_users: filter.pm.filter((user) => viewer === undefined || user === viewer),
    exclude_users: viewer === undefined ? filter.exclude : [],
    no_history: noHistory,
  }))
}

export function shownInfo({ channels, users }: ChannelsInfo) {
  return {
    channels: Object.entries(channels)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, { history, name, settings, ...channel }]) => ({
        name: key === name ? name : `${name} under ${key}`,
        settings: { ...settings },
        history: history.map(shownItem),
        total_connections: channel.total_connections,
        total_users: channel.total_users,
        users: channel.users,
      })),
    users: [...users].sort((one, other) => (one.user < other.user ? -1 : 1)),
  }
}

const NOT_COMPARED = ['id', 'timestamp', 'date']
const shownItem = (item: HistoryItem): object =>
  Object.fromEntries(Object.entries(item).filter(([key]) => !NOT_COMPARED.includes(key)))
