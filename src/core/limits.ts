/** What one request may ask for. Past it: a 422 that names the field, and nothing is done. */
import { COMPLAINT } from '../protocol/fields.ts'
import { addComplaint, complaint } from '../protocol/complaints.ts'
import { invalid } from '../protocol/errors.ts'
import type { Complaints } from '../protocol/complaints.ts'
import type { ChannelSettings, InfoOptions } from '../protocol/requests.ts'

export interface RequestLimits {
  /** Messages, edits or deletes in one request. */
  readonly maxMessagesPerRequest: number
  /** Channels that one request may name. */
  readonly maxChannelsPerRequest: number
  /** Largest `history_size` of a channel, in messages. */
  readonly maxHistorySize: number
  /** Largest JSON size of a user's state, in bytes. Told here, kept by the store. */
  readonly maxStateBytes: number
}

/** `path` leads to the list; none: the list is the body. */
export function checkList(list: readonly unknown[], max: number, ...path: string[]): void {
  if (list.length > max) throw invalid(complaint(path, COMPLAINT.longer(max)))
}

/** `path` leads from the channel's name to its settings in the request. */
export function checkSettings(
  configs: Readonly<Record<string, ChannelSettings>>,
  limits: RequestLimits,
  path: (channel: string) => readonly string[],
): void {
  const complaints = Object.create(null) as Complaints
  for (const [channel, { history_size: size }] of Object.entries(configs)) {
    if (size <= limits.maxHistorySize) continue
    addComplaint(
      complaints,
      [...path(channel), 'history_size'],
      COMPLAINT.atMost(limits.maxHistorySize),
    )
  }
  if (Object.keys(complaints).length > 0) throw invalid(complaints)
}

/** What `/connect` and `/subscribe` ask for. */
export function checkChannels(
  request: {
    readonly channels: readonly unknown[]
    readonly channel_configs: Readonly<Record<string, ChannelSettings>>
    readonly info: InfoOptions
  },
  limits: RequestLimits,
): void {
  const { maxChannelsPerRequest: max } = limits
  checkList(request.channels, max, 'channels')
  checkList(Object.keys(request.channel_configs), max, 'channel_configs')
  checkInfo(request.info, limits)
  checkSettings(request.channel_configs, limits, (name) => ['channel_configs', name, 'value'])
}

export function checkInfo(info: InfoOptions, { maxChannelsPerRequest: max }: RequestLimits): void {
  checkList(info.channels ?? [], max, 'info', 'channels')
  checkList(info.exclude_channels, max, 'info', 'exclude_channels')
}

export const stateTooLarge = ({ maxStateBytes }: RequestLimits) =>
  invalid(complaint(['user_state'], `State is larger than ${maxStateBytes} bytes.`))
