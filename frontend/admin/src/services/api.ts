/** The client for the REST API. The session cookie and a header that other sites cannot send authorize requests. */
import { readJson } from './json.ts'
import type {
  ChannelRow,
  ChannelsPage,
  ChannelsQuery,
  FiguresResponse,
  UserRow,
  UsersPage,
  UsersQuery,
  WebhookRow,
  WebhooksResponse,
} from '../../../../src/protocol/admin.ts'
import type { Scalar } from '../../../../src/protocol/fields.ts'
import type { ChannelSettings } from '../../../../src/protocol/requests.ts'
import type { ChannelInfo, ChannelsInfo, HistoryItem } from '../../../../src/protocol/responses.ts'

export type {
  ChannelInfo,
  ChannelRow,
  ChannelSettings,
  ChannelsPage,
  FiguresResponse,
  HistoryItem,
  Scalar,
  UserRow,
  UsersPage,
  WebhookRow,
}
export type { Reading } from '../../../../src/protocol/admin.ts'

/** The prefix of the server's paths. The panel itself is at `BASE/admin`. */
export const BASE = location.pathname.replace(/\/admin$/, '')

/** A failed request (status 400 or more, or no answer), with a message for people. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
}

/** Without a timeout, a request would hang when the network drops all packets. */
const TIMEOUT_MS = 8_000

export const goToSignIn = (): void => location.assign(`${BASE}/admin/sign_in`)

async function call<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
  const answer = await fetch(BASE + path, {
    method,
    signal: AbortSignal.timeout(TIMEOUT_MS),
    headers: { 'x-channelstream-admin': '1', 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  }).catch(() => {
    throw new ApiError('The server cannot be reached.')
  })
  // 403 means that the session has ended: a signed-in admin is allowed to do everything.
  if (answer.status === 403) goToSignIn()
  if (!answer.ok) throw new ApiError(errorTextOf(await answer.text(), answer.status))
  return readJson(await answer.text()) as Answer
}

/** Reads the error texts of `{"request": "…"}`, or of an object nested by field. */
function errorTextOf(text: string, status: number): string {
  try {
    const lines = textsIn(JSON.parse(text)).map((line) => line.replace(/^request: /, ''))
    return lines.slice(0, 5).join(' ')
  } catch {
    return `The server answered with status ${status}.` // the page of a proxy, not the server's JSON
  }
}

function textsIn(error: unknown): string[] {
  if (typeof error === 'string') return [error]
  return Object.entries(error as object).flatMap(([field, inner]) =>
    textsIn(inner).map((text) => (/^\d+$|^_schema$/.test(field) ? text : `${field}: ${text}`)),
  )
}

type Query<Whole> = { readonly [Key in keyof Whole]?: Whole[Key] | undefined }

function queryOf(query: object): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '')
  return new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()
}

export interface Recipients {
  readonly channel?: string
  readonly pm_users?: readonly string[]
  readonly exclude_users?: readonly string[]
}

export interface OutgoingMessage extends Recipients {
  readonly user: string
  readonly message: unknown
  readonly no_history: boolean
}

export const figures = () => call<FiguresResponse>('GET', '/admin/figures.json')

export const webhooks = () => call<WebhooksResponse>('GET', '/admin/webhooks.json')

export const channels = (query: Query<ChannelsQuery>) =>
  call<ChannelsPage>('GET', `/admin/channels.json?${queryOf(query)}`)

/** Names as typed. The server validates them. */
type UserNames = { readonly channel?: string; readonly user?: string }

export const users = (query: Query<Omit<UsersQuery, keyof UserNames>> & UserNames) =>
  call<UsersPage>('GET', `/admin/users.json?${queryOf(query)}`)

/** How many messages of a history the panel shows, the newest ones. */
export const SHOWN_MESSAGES = 1_000

/**
 * Returns undefined if the channel does not exist. Leaves out its users, since there may be many, and all but the newest
 * messages.
 */
export async function channel(name: string): Promise<ChannelInfo | undefined> {
  const include_history = { limit: SHOWN_MESSAGES }
  const info = { channels: [name], include_users: false, include_history }
  const { channels: found } = await call<ChannelsInfo>('POST', '/info', { info })
  return Object.values(found)[0]
}

export const configure = (name: string, settings: ChannelSettings) =>
  call<ChannelsInfo>('POST', '/channel_config', { [name]: settings })

export const send = (message: OutgoingMessage) =>
  call<{ uuid: string }[]>('POST', '/message', [message])

/** Edits a message. The edit goes to the recipients of the message. */
export const edit = (item: HistoryItem, message: unknown) =>
  call('PATCH', '/message', [{ ...audienceOf(item), message }])

export const remove = (item: HistoryItem) => call('DELETE', '/message', [audienceOf(item)])

const audienceOf = ({ uuid, channel: name, pm_users, exclude_users }: HistoryItem) => ({
  uuid,
  channel: name,
  pm_users,
  exclude_users,
})

export const disconnect = (conn_id: string) => call<boolean>('POST', '/disconnect', { conn_id })

export const setState = (user: string, key: string, value: Scalar) =>
  call('POST', '/user_state', { user, user_state: { [key]: value } })
