import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** What one script is made of behind `root`, in order: files of `lua/`, less their ending. */
const PARTS = {
  connect: ['common', 'records', 'state', 'connect'],
  join: ['common', 'records', 'join'],
  leave: ['common', 'records', 'leave'],
  drop: ['common', 'records', 'drop'],
  attach: ['common', 'records', 'attach'],
  detach: ['common', 'detach'],
  reclaim: ['common', 'records', 'reclaim'],
  listen: ['common', 'listen'],
  publish: ['common', 'records', 'events', 'publish'],
  missed: ['common', 'events', 'missed'],
  configure: ['common', 'records', 'configure'],
  ensure: ['common', 'records', 'ensure'],
  setState: ['common', 'records', 'state', 'set-state'],
  channels: ['common', 'records', 'channels'],
  users: ['common', 'records', 'users'],
  summaries: ['common', 'summaries'],
  figures: ['common', 'figures'],
  sweep: ['common', 'events', 'sweep'],
  beat: ['common', 'beat'],
  exit: ['common', 'exit'],
  claim: ['common', 'claim'],
  settle: ['common', 'settle'],
  enter: ['enter'],
} as const satisfies Record<string, readonly string[]>

export type ScriptName = keyof typeof PARTS

export interface Script {
  readonly text: string
  /** What Redis calls it by. */
  readonly sha: string
}

/** The scripts, with these numbers as constants. The same for all servers with the same settings. */
export function loadScripts(
  constants: Readonly<Record<string, number>>,
): Readonly<Record<ScriptName, Script>> {
  const head = Object.entries(constants).map(([name, value]) => `local ${name} = ${value}\n`)
  const scripts = Object.entries(PARTS).map(([name, parts]) => {
    const text = [...head, ...['root', ...parts].map(read)].join('')
    return [name, { text, sha: createHash('sha1').update(text).digest('hex') }]
  })
  return Object.fromEntries(scripts) as Record<ScriptName, Script>
}

const read = (part: string): string =>
  readFileSync(new URL(`lua/${part}.lua`, import.meta.url), 'utf8')
