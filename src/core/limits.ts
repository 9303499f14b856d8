/** What one request may ask for. Past it: a 422 that names the field, and nothing is done. */
import { complaint, listComplaints } from '../protocol/complaints.ts'
import { invalid } from '../protocol/errors.ts'
import { COMPLAINT, isJsonObject } from '../protocol/fields.ts'
import type { Fault } from '../protocol/complaints.ts'
import type { ChannelSettings, InfoOptions } from '../protocol/requests.ts'

export interface RequestLimits {
  /** Messages, edits or deletes in one request. */
  readonly maxMessagesPerRequest: number
  /** Channels that one request may name. */
  readonly maxChannelsPerRequest: number
  /** Users that one message may name in `pm_users`, and as many in `exclude_users`. */
  readonly maxUsersPerMessage: number
  /** Largest `history_size` of a channel, in messages. */
  readonly maxHistorySize: number
  /** Largest JSON size of a user's state, in bytes. Told here, kept by the store. The list of public keys may be as large. */
  readonly maxStateBytes: number
}

/** Keys of one message, those that are passed on included. */
const MAX_MESSAGE_KEYS = 1_000

/** An entry of a map or a list is at least as long in JSON. */
const SMALLEST_ENTRY_BYTES = 4

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
  const text = COMPLAINT.atMost(limits.maxHistorySize)
  const faults: Fault[] = Object.entries(configs)
    .filter(([, { history_size: size }]) => size > limits.maxHistorySize)
    .map(([channel]) => [[...path(channel), 'history_size'], text])
  if (faults.length > 0) throw invalid(listComplaints(faults))
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

/** The keys of a user's state that others may see. */
export function checkPublicKeys(keys: readonly string[], limits: RequestLimits): void {
  if (keys.length > 0 && Buffer.byteLength(JSON.stringify(keys)) > limits.maxStateBytes)
    throw publicKeysTooLarge(limits)
}

const publicKeysTooLarge = ({ maxStateBytes }: RequestLimits) =>
  invalid(complaint(['state_public_keys'], `List is larger than ${maxStateBytes} bytes.`))

/**
 * The limits on how much there may be of something, for bodies as they were read: what is too long is refused before what
 * is in it is checked, which costs a hundred times as much. What is of a wrong type is left to the schemas.
 */
export class Bounds {
  constructor(private readonly limits: RequestLimits) {}

  /** Of a request that names channels, and perhaps a user. */
  readonly channels = (body: unknown): void => {
    if (!isJsonObject(body)) return
    const { maxChannelsPerRequest: max } = this.limits
    checkSize(body['channels'], max, 'channels')
    checkSize(body['channel_configs'], max, 'channel_configs')
    this.#checkInfo(body['info'])
    this.user(body)
  }

  /** Of a request for information, in both of its forms. */
  readonly info = (body: unknown): void => {
    if (!isJsonObject(body)) return
    checkSize(body['channels'], this.limits.maxChannelsPerRequest, 'info', 'channels')
    this.#checkInfo(body['info'])
  }

  #checkInfo(info: unknown): void {
    if (!isJsonObject(info)) return
    const { maxChannelsPerRequest: max } = this.limits
    checkSize(info['channels'], max, 'info', 'channels')
    checkSize(info['exclude_channels'], max, 'info', 'exclude_channels')
  }

  /** Of a request that is a map of settings. */
  readonly settings = (body: unknown): void => {
    if (isJsonObject(body)) checkSize(body, this.limits.maxChannelsPerRequest)
  }

  /** Of a request that gives a user a state. */
  readonly user = (body: unknown): void => {
    if (!isJsonObject(body)) return
    const most = this.limits.maxStateBytes / SMALLEST_ENTRY_BYTES
    if (sizeOf(body['user_state']) > most || sizeOf(body['fresh_user_state']) > most)
      throw stateTooLarge(this.limits)
    if (sizeOf(body['state_public_keys']) > most) throw publicKeysTooLarge(this.limits)
  }

  /** Of a list of messages, edits or deletes. */
  readonly messages = (body: unknown): void => {
    if (!Array.isArray(body)) return
    checkList(body, this.limits.maxMessagesPerRequest)
    body.forEach((message: unknown, index) => {
      if (isJsonObject(message)) this.#checkMessage(message, String(index))
    })
  }

  #checkMessage(message: Readonly<Record<string, unknown>>, index: string): void {
    const { maxUsersPerMessage: max } = this.limits
    checkSize(message['pm_users'], max, index, 'pm_users')
    checkSize(message['exclude_users'], max, index, 'exclude_users')
    checkSize(message, MAX_MESSAGE_KEYS, index, '_schema')
  }
}

/** As `checkList`, for a list or a map. */
function checkSize(value: unknown, max: number, ...path: string[]): void {
  if (sizeOf(value) > max) throw invalid(complaint(path, COMPLAINT.longer(max)))
}

function sizeOf(value: unknown): number {
  if (Array.isArray(value)) return value.length
  return isJsonObject(value) ? Object.keys(value).length : 0
}
