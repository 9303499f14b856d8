import { byCodePoint } from '../../lib/code-points.ts'
import { describeChannels } from './channels-info.ts'
import type { InfoOptions } from '../../protocol/requests.ts'
import type { Reached } from '../by-user.ts'

/** Describes the channels of connections after they have joined or left some. */
export async function describeMembership(
  deps: Parameters<typeof describeChannels>[0],
  { user, channels: unsorted, connIds }: Reached,
  info: InfoOptions,
) {
  const channels = [...unsorted].sort(byCodePoint)
  return {
    channels,
    channels_info: await describeChannels(deps, channels, info, user),
    ...(connIds && { conn_ids: connIds }),
  }
}
