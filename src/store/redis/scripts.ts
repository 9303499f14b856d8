import { createHash } from 'node:crypto'
import { LUA } from './lua/index.ts'

/** Included by scripts that announce their changes. */
const CHANGE_EVENTS = ['events', 'announce', 'change-events'] as const

/** The files of `lua/`, without extension, that each script consists of after `root`, in order. */
const PARTS = {
  connect: ['common', 'floors', 'channel', 'records', 'state', ...CHANGE_EVENTS, 'connect'],
  join: ['common', 'floors', 'channel', 'records', ...CHANGE_EVENTS, 'join'],
  leave: ['common', 'floors', 'channel', 'records', ...CHANGE_EVENTS, 'leave'],
  drop: ['common', 'channel', 'records', ...CHANGE_EVENTS, 'drop'],
  attach: ['common', 'channel', 'records', 'attach'],
  detach: ['common', 'detach'],
  reclaim: ['common', 'channel', 'records', 'reclaim'],
  listen: ['common', 'listen'],
  publish: ['common', 'channel', 'events', 'announce', 'audience', 'publish'],
  missed: ['common', 'events', 'missed'],
  configure: ['common', 'channel', 'records', 'configure'],
  ensure: ['common', 'channel', 'records', 'ensure'],
  setState: ['common', 'channel', 'records', 'state', ...CHANGE_EVENTS, 'set-state'],
  channels: ['common', 'channel', 'records', 'channels'],
  users: ['common', 'channel', 'records', 'users'],
  summaries: ['common', 'channel-summaries'],
  figures: ['common', 'figures'],
  sweep: ['common', 'events', 'idempotency-cache', 'admin-sessions', 'lost', 'sweep'],
  audit: ['common', 'channel', 'records', ...CHANGE_EVENTS, 'count-connections', 'audit'],
  beat: ['common', 'beat'],
  exit: ['common', 'exit'],
  claim: ['common', 'claim'],
  settle: ['common', 'idempotency-cache', 'settle'],
  openSession: ['common', 'admin-sessions', 'open-session'],
  findSession: ['common', 'admin-sessions', 'find-session'],
  endSession: ['common', 'admin-sessions', 'end-session'],
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

/** Builds the scripts, with these numbers as constants. Servers with the same settings have the same scripts. */
export function loadScripts(
  constants: Readonly<Record<string, number>>,
): Readonly<Record<ScriptName, Script>> {
  const head = Object.entries(constants).map(([name, value]) => `local ${name} = ${value}\n`)
  const scripts = Object.entries(PARTS).map(([name, parts]) => {
    const names: readonly (keyof typeof LUA)[] = ['root', ...parts]
    const text = [...head, ...names.map((part) => LUA[part])].join('')
    return [name, { text, sha: createHash('sha1').update(text).digest('hex') }]
  })
  return Object.fromEntries(scripts) as Record<ScriptName, Script>
}
