/** Names in requests: settings by channel, and complaints about unknown connections and users. */
import { complaint } from '../protocol/complaints.ts'
import type { ChannelName } from '../protocol/ids.ts'
import type { ChannelSettings } from '../protocol/requests.ts'

export const unknownConnection = () => complaint(['conn_id'], 'Unknown connection')
export const unknownUser = () => complaint(['user'], 'Unknown user')

export const settingsMap = (configs: Readonly<Record<string, ChannelSettings>>) =>
  new Map(Object.entries(configs) as [ChannelName, ChannelSettings][])
