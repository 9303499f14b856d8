import { createHash } from 'node:crypto'
import { LUA } from './lua/index.ts'

/** Included by scripts that announce their changes. */
const CHANGE_EVENTS = ['events', 'announce', 'change-events'] as const

/** Included by scripts that change who is where. */
const MEMBERS = ['common', 'floors', 'channel', 'webhooks', 'records'] as const

/** Included by scripts that read or remove parts of histories. They need `channel`. */
const HISTORIES = ['events', 'positions', 'histories'] as const

/** A function that returns other functions. It makes them when it is called first. */
interface Lazy {
  readonly name: string
  readonly parts: readonly (keyof typeof LUA)[]
  readonly functions: readonly string[]
}

/** Most runs of a script do not need these functions. To make them in each run would take time. */
const POSITIONS: Lazy = {
  name: 'positions',
  parts: ['positions'],
  functions: ['list_source', 'first_kept'],
}
const READ_HISTORIES: Lazy = {
  name: 'histories',
  parts: ['positions', 'histories'],
  functions: ['history_source', 'first_kept', 'read_events'],
}
const LONG_HISTORIES: Lazy = {
  name: 'long_histories',
  parts: ['positions', 'histories', 'long-history'],
  functions: ['is_sorted', 'find_in_long', 'edit_in_long', 'remove_from_long', 'add_to_long'],
}
/** Included by the script that publishes. */
const KEPT_HISTORY = ['announce', LONG_HISTORIES, 'kept-history'] as const

/** Included by the script that removes what has expired. */
const EXPIRING = ['idempotency-cache', 'admin-sessions'] as const

/** The files of `lua/`, without extension, that each script consists of after `root`, in order. */
const PARTS = {
  connect: [...MEMBERS, 'user-limits', 'state', ...CHANGE_EVENTS, 'connect'],
  join: [...MEMBERS, 'user-limits', ...CHANGE_EVENTS, 'join'],
  leave: [...MEMBERS, ...CHANGE_EVENTS, 'leave'],
  drop: ['common', 'channel', 'webhooks', 'records', ...CHANGE_EVENTS, 'drop'],
  attach: ['common', 'channel', 'records', 'attach'],
  detach: ['common', 'detach'],
  reclaim: ['common', 'channel', 'records', 'reclaim'],
  listen: ['common', 'listen'],
  publish: [
    ...['common', 'channel', 'events'],
    ...KEPT_HISTORY,
    ...['audience', 'webhooks', 'webhook-messages', 'token-buckets', 'publish'],
  ],
  missed: ['common', 'channel', 'events', POSITIONS, 'missed'],
  history: ['common', 'channel', ...HISTORIES, 'history'],
  configure: ['common', 'channel', 'webhooks', 'records', ...HISTORIES, 'configure'],
  ensure: ['common', 'channel', 'webhooks', 'records', 'ensure'],
  setState: ['common', 'channel', 'records', 'state', ...CHANGE_EVENTS, 'set-state'],
  channels: ['common', 'channel', 'records', 'events', READ_HISTORIES, 'channels'],
  users: ['common', 'channel', 'records', 'users'],
  summaries: ['common', 'channel-summaries'],
  figures: ['common', 'figures'],
  countChannels: ['common', 'count-channels'],
  connectionsOf: ['common', 'connections-of'],
  channelsOf: ['common', 'channels-of'],
  sweep: ['common', 'channel', ...HISTORIES, 'aging', ...EXPIRING, 'webhooks', 'lost', 'sweep'],
  audit: [
    ...['common', 'channel', 'webhooks', 'records'],
    ...CHANGE_EVENTS,
    ...['count-connections', 'audit'],
  ],
  beat: ['common', 'beat'],
  exit: ['common', 'exit'],
  claim: ['common', 'claim'],
  settle: ['common', 'idempotency-cache', 'settle'],
  openSession: ['common', 'admin-sessions', 'open-session'],
  findSession: ['common', 'admin-sessions', 'find-session'],
  endSession: ['common', 'admin-sessions', 'end-session'],
  readWebhooks: ['common', 'webhook-endpoints', 'read-webhooks'],
  confirmWebhooks: ['common', 'webhook-endpoints', 'confirm-webhooks'],
  releaseWebhooks: ['common', 'webhook-endpoints', 'release-webhooks'],
  noteWebhook: ['common', 'webhook-endpoints', 'note-webhook'],
  webhookFigures: ['common', 'webhook-endpoints', 'webhook-figures'],
  addSlowClient: ['common', 'webhooks', 'add-slow-client'],
  enter: ['count-connections', 'enter'],
} as const satisfies Record<string, readonly (keyof typeof LUA | Lazy)[]>

export type ScriptName = keyof typeof PARTS
/** Scripts that announce their changes. Their first arguments are the time and a UUID, see `lua/change-events.lua`. */
export type ChangeScript = {
  [Name in ScriptName]: 'change-events' extends (typeof PARTS)[Name][number] ? Name : never
}[ScriptName]

export interface Script {
  readonly text: string
  /** The hash that EVALSHA calls it by. */
  readonly sha: string
}

type Constant = number | string | readonly string[]

/** Builds the scripts, with these constants. Servers with the same settings have the same scripts. */
export function loadScripts(
  constants: Readonly<Record<string, Constant>>,
): Readonly<Record<ScriptName, Script>> {
  const head = Object.entries(constants).map(
    ([name, value]) => `local ${name} = ${luaLiteral(value)}\n`,
  )
  const scripts = Object.entries(PARTS).map(([name, parts]) => {
    const all: readonly (keyof typeof LUA | Lazy)[] = ['root', ...parts]
    const texts = all.map((part) => (typeof part === 'string' ? LUA[part] : writeLazy(part)))
    const text = [...head, ...texts].join('')
    return [name, { text, sha: createHash('sha1').update(text).digest('hex') }]
  })
  return Object.fromEntries(scripts) as Record<ScriptName, Script>
}

/** Escapes all bytes but letters and digits: a setting must not be able to end the literal. */
function luaLiteral(value: Constant): string {
  if (typeof value === 'number') return String(value)
  if (typeof value !== 'string') return `{${value.map(luaLiteral).join(', ')}}`
  const bytes = [...Buffer.from(value)].map((byte) => {
    const character = String.fromCharCode(byte)
    return /[a-z\d]/i.test(character) ? character : `\\${String(byte).padStart(3, '0')}`
  })
  return `'${bytes.join('')}'`
}

const writeLazy = ({ name, parts, functions }: Lazy): string => `
local made_${name}
local function ${name}()
if made_${name} then return made_${name} end
${parts.map((part) => LUA[part]).join('')}
made_${name} = {${functions.map((each) => `${each} = ${each}`).join(', ')}}
return made_${name}
end
`
