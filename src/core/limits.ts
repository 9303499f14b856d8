/** Limits of one request. Exceeding one is answered with a 422 that names the field, and has no effect. */
import { complaint, listComplaints } from '../protocol/complaints.ts'
import { invalid } from '../protocol/errors.ts'
import { writeJson } from '../protocol/exact-numbers.ts'
import { COMPLAINT } from '../protocol/fields.ts'
import { isCountsRequest } from '../protocol/info-requests.ts'
import { isJsonObject } from '../protocol/json-object.ts'
import type { Fault } from '../protocol/complaints.ts'
import type { CountsRequest } from '../protocol/info-requests.ts'
import type { ChannelConfig, InfoOptions } from '../protocol/requests.ts'
import type { Targets } from './messages.ts'

export interface RequestLimits {
  /** Messages, edits or deletes per request. */
  readonly maxMessagesPerRequest: number
  /** Channels named per request. */
  readonly maxChannelsPerRequest: number
  /** Channels per message in `channels`. */
  readonly maxChannelsPerMessage: number
  /** Channels, and also users, that are counted per request. */
  readonly maxCountsPerRequest: number
  /** Users per message in `pm_users`, and also in `exclude_users`. */
  readonly maxUsersPerMessage: number
  /** Largest `history_size` of a channel, in messages. */
  readonly maxHistorySize: number
  /**
   * Largest JSON size of a user's state, in bytes. The store checks it; this module makes the error. The list of public
   * keys has the same limit.
   */
  readonly maxStateBytes: number
}

/** Keys of one message, including extra keys of the caller. */
const MAX_MESSAGE_KEYS = 1_000

/** Users named in messages to several channels, in one request. Each is looked up in each channel, and counts in each. */
const MAX_USERS_IN_CHANNELS = 100_000
/** JSON characters of messages to several channels, in one request. Each channel keeps a copy, and counts. */
const MAX_CHARACTERS_IN_CHANNELS = 4_194_304

/** Minimum JSON size of an entry in a map or list. */
const SMALLEST_ENTRY_BYTES = 4

/** `path` leads to the list. Without one, the list is the body. */
export function checkList(list: readonly unknown[], max: number, ...path: string[]): void {
  if (list.length > max) throw invalid(complaint(path, COMPLAINT.longer(max)))
}

/** Checks messages, edits or deletes. Each channel of one of them counts as one. */
export function checkMessages(list: readonly Targets<string>[], limits: RequestLimits): void {
  checkMessageCount(list, limits)
  let characters = 0
  for (const [index, message] of list.entries()) {
    const { channel, channels } = message
    if (!channels) continue
    if (channel !== null)
      throw invalid(complaint([String(index), 'channels'], 'Not together with channel.'))
    if (channels.length > 1)
      characters += channels.length * writeJson({ ...message, channels: undefined }).length
  }
  checkSum(characters, MAX_CHARACTERS_IN_CHANNELS, 'characters')
}

/** Of something that counts in each channel. */
function checkSum(sum: number, max: number, what: string): void {
  if (sum > max) throw invalid(complaint([], `More than ${max} ${what}, counted in each channel.`))
}

/** Elements of any type: they may not be validated yet. */
function checkMessageCount(list: readonly unknown[], limits: RequestLimits): void {
  const { maxMessagesPerRequest: max } = limits
  checkList(list, max)
  let [messages, users] = [0, 0]
  for (const message of list) {
    const channels = isJsonObject(message) ? sizeOf(message['channels']) : 0
    messages += Math.max(channels, 1)
    if (isJsonObject(message) && channels > 1)
      users += channels * (sizeOf(message['pm_users']) + sizeOf(message['exclude_users']))
  }
  checkSum(messages, max, 'messages')
  checkSum(users, MAX_USERS_IN_CHANNELS, 'users')
}

/** `path` leads from the channel's name to its settings in the request. */
export function checkSettings(
  configs: Readonly<Record<string, ChannelConfig>>,
  limits: RequestLimits,
  path: (channel: string) => readonly string[],
): void {
  const text = COMPLAINT.atMost(limits.maxHistorySize)
  const faults: Fault[] = Object.entries(configs)
    .filter(([, { history_size: size = 0 }]) => size > limits.maxHistorySize)
    .map(([channel]) => [[...path(channel), 'history_size'], text])
  if (faults.length > 0) throw invalid(listComplaints(faults))
}

/** Checks the requests that name channels, such as `/connect` and `/subscribe`. */
export function checkChannels(
  request: {
    readonly channels: readonly unknown[]
    readonly channel_configs: Readonly<Record<string, ChannelConfig>>
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

export function checkCounts(
  { counts, channels, users }: CountsRequest,
  { maxCountsPerRequest: max }: RequestLimits,
): void {
  if (channels && !counts) throw invalid(complaint(['channels'], 'Only together with counts.'))
  checkList(channels ?? [], max, 'channels')
  checkList(users ?? [], max, 'users')
}

export const stateTooLarge = ({ maxStateBytes }: RequestLimits) =>
  invalid(complaint(['user_state'], `State is larger than ${maxStateBytes} bytes.`))

/** Checks the list of state keys that other users may see. */
export function checkPublicKeys(keys: readonly string[], limits: RequestLimits): void {
  if (keys.length > 0 && Buffer.byteLength(JSON.stringify(keys)) > limits.maxStateBytes)
    throw publicKeysTooLarge(limits)
}

const publicKeysTooLarge = ({ maxStateBytes }: RequestLimits) =>
  invalid(complaint(['state_public_keys'], `List is larger than ${maxStateBytes} bytes.`))

/**
 * Checks the lengths of lists and maps in parsed bodies before their schemas do: validating the content costs a hundred
 * times as much. Wrong types are left to the schemas.
 */
export class Bounds {
  constructor(private readonly limits: RequestLimits) {}

  /** For requests that name channels, and perhaps a user. */
  readonly channels = (body: unknown): void => {
    if (!isJsonObject(body)) return
    const { maxChannelsPerRequest: max } = this.limits
    checkSize(body['channels'], max, 'channels')
    checkSize(body['channel_configs'], max, 'channel_configs')
    this.#checkInfo(body['info'])
    this.user(body)
  }

  /** For requests for information, in all forms. */
  readonly info = (body: unknown): void => {
    if (!isJsonObject(body)) return
    if (isCountsRequest(body)) {
      const { maxCountsPerRequest: max } = this.limits
      checkSize(body['channels'], max, 'channels')
      return checkSize(body['users'], max, 'users')
    }
    checkSize(body['channels'], this.limits.maxChannelsPerRequest, 'info', 'channels')
    this.#checkInfo(body['info'])
  }

  #checkInfo(info: unknown): void {
    if (!isJsonObject(info)) return
    const { maxChannelsPerRequest: max } = this.limits
    checkSize(info['channels'], max, 'info', 'channels')
    checkSize(info['exclude_channels'], max, 'info', 'exclude_channels')
  }

  /** For requests that are a map of settings. */
  readonly settings = (body: unknown): void => {
    if (isJsonObject(body)) checkSize(body, this.limits.maxChannelsPerRequest)
  }

  /** For requests that set a user's state. */
  readonly user = (body: unknown): void => {
    if (!isJsonObject(body)) return
    const maxEntries = this.limits.maxStateBytes / SMALLEST_ENTRY_BYTES
    if (sizeOf(body['user_state']) > maxEntries || sizeOf(body['fresh_user_state']) > maxEntries)
      throw stateTooLarge(this.limits)
    if (sizeOf(body['state_public_keys']) > maxEntries) throw publicKeysTooLarge(this.limits)
  }

  /** For lists of messages, edits or deletes. */
  readonly messages = (body: unknown): void => {
    if (!Array.isArray(body)) return
    checkMessageCount(body, this.limits)
    body.forEach((message: unknown, index) => {
      if (isJsonObject(message)) this.#checkMessage(message, String(index))
    })
  }

  #checkMessage(message: Readonly<Record<string, unknown>>, index: string): void {
    const { maxUsersPerMessage: max, maxChannelsPerMessage } = this.limits
    checkSize(message['channels'], maxChannelsPerMessage, index, 'channels')
    checkSize(message['pm_users'], max, index, 'pm_users')
    checkSize(message['exclude_users'], max, index, 'exclude_users')
    checkSize(message, MAX_MESSAGE_KEYS, index, '_schema')
  }
}

/** Like `checkList`, for a list or a map. */
function checkSize(value: unknown, max: number, ...path: string[]): void {
  if (sizeOf(value) > max) throw invalid(complaint(path, COMPLAINT.longer(max)))
}

function sizeOf(value: unknown): number {
  if (Array.isArray(value)) return value.length
  return isJsonObject(value) ? Object.keys(value).length : 0
}
