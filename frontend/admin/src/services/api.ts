/** The server's REST API, called as its backend: the session's cookie and a header that other sites cannot send. */
import { readJson } from './json.ts'
import type {
  ChannelRow,
  ChannelsPage,
  ChannelsQuery,
  FiguresResponse,
  UserRow,
  UsersPage,
  UsersQuery,
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
}
export type { Reading } from '../../../../src/protocol/admin.ts'

/** What stands before the server's paths: the panel itself is at `BASE/admin`. */
export const BASE = location.pathname.replace(/\/admin$/, '')

/** An answer of 400 or more, or none at all, in words for people. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
}

/** A network that loses everything answers never. */
const PATIENCE_MS = 8_000

export const goToSignIn = (): void => location.assign(`${BASE}/admin/sign_in`)

async function call<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
  const answer = await fetch(BASE + path, {
    method,
    signal: AbortSignal.timeout(PATIENCE_MS),
    headers: { 'x-channelstream-admin': '1', 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  }).catch(() => {
    throw new ApiError('The server cannot be reached.')
  })
  // The session has ended: whoever is signed in may do everything.
  if (answer.status === 403) goToSignIn()
  if (!answer.ok) throw new ApiError(faultOf(await answer.text(), answer.status))
  return readJson(await answer.text()) as Answer
}

/** `{"request": "…"}`, or texts by field, each below the ones that it is in. */
function faultOf(text: string, status: number): string {
  try {
    const lines = textsIn(JSON.parse(text)).map((line) => line.replace(/^request: /, ''))
    return lines.slice(0, 5).join(' ')
  } catch {
    return `The server answered ${status}.` // a proxy's page, not the server's JSON
  }
}

function textsIn(complaint: unknown): string[] {
  if (typeof complaint === 'string') return [complaint]
  return Object.entries(complaint as object).flatMap(([field, inner]) =>
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

export interface Sending extends Recipients {
  readonly user: string
  readonly message: unknown
  readonly no_history: boolean
}

export const figures = () => call<FiguresResponse>('GET', '/admin/figures.json')

export const channels = (query: Query<ChannelsQuery>) =>
  call<ChannelsPage>('GET', `/admin/channels.json?${queryOf(query)}`)

/** As people type them: whether they are names is for the server to say. */
type UserNames = { readonly channel?: string; readonly user?: string }

export const users = (query: Query<Omit<UsersQuery, keyof UserNames>> & UserNames) =>
  call<UsersPage>('GET', `/admin/users.json?${queryOf(query)}`)

/** Undefined: there is no such channel. Without its users, of which there may be many. */
export async function channel(name: string): Promise<ChannelInfo | undefined> {
  const info = { channels: [name], include_users: false }
  const { channels: found } = await call<ChannelsInfo>('POST', '/info', { info })
  return Object.values(found)[0]
}

export const configure = (name: string, settings: ChannelSettings) =>
  call<ChannelsInfo>('POST', '/channel_config', { [name]: settings })

export const send = (message: Sending) => call<{ uuid: string }[]>('POST', '/message', [message])

/** Told to those who were told the message. */
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
