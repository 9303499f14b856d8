import { createHash } from 'node:crypto'
import { LUA } from './lua/index.ts'

/** Included by scripts that announce their changes. */
const CHANGE_EVENTS = ['events', 'announce', 'change-events'] as const

/** Included by scripts that change who is where. */
const MEMBERS = ['common', 'floors', 'channel', 'webhooks', 'records'] as const
/** Included by scripts that read or change histories. They need `channel`. */
const HISTORY = ['events', 'positions', 'histories'] as const

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
    ...['common', 'channel', ...HISTORY, 'announce', 'kept-history', 'audience'],
    ...['webhooks', 'webhook-messages', 'token-buckets', 'publish'],
  ],
  missed: ['common', 'channel', 'events', 'positions', 'missed'],
  history: ['common', 'channel', ...HISTORY, 'history'],
  configure: ['common', 'channel', 'webhooks', 'records', ...HISTORY, 'configure'],
  ensure: ['common', 'channel', 'webhooks', 'records', 'ensure'],
  setState: ['common', 'channel', 'records', 'state', ...CHANGE_EVENTS, 'set-state'],
  channels: ['common', 'channel', 'records', ...HISTORY, 'channels'],
  users: ['common', 'channel', 'records', 'users'],
  summaries: ['common', 'channel-summaries'],
  figures: ['common', 'figures'],
  countChannels: ['common', 'count-channels'],
  connectionsOf: ['common', 'connections-of'],
  channelsOf: ['common', 'channels-of'],
  sweep: ['common', 'channel', ...HISTORY, 'aging', ...EXPIRING, 'webhooks', 'lost', 'sweep'],
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
} as const satisfies Record<string, readonly (keyof typeof LUA)[]>

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
    const names: readonly (keyof typeof LUA)[] = ['root', ...parts]
    const text = [...head, ...names.map((part) => LUA[part])].join('')
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
