/** How lines of the log look. The logger makes JSON, and the other forms are made of that. */
import { HARMFUL, unicodeEscape } from '../lib/escapes.ts'

export interface LogForm {
  /** `pretty`: text for people, with the level as a word. */
  readonly format: 'json' | 'pretty'
  /** How JSON has the level. */
  readonly levels: 'numbers' | 'words'
}

export const DEFAULT_FORM: LogForm = { format: 'json', levels: 'numbers' }

/** The levels of pino. */
export const LEVEL_WORDS: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
}
const LEVEL_WIDTH = 5

interface Entry {
  readonly level: number
  readonly time: number
  readonly msg?: string
  readonly err?: { readonly stack?: string }
  readonly [name: string]: unknown
}

/**
 * Turns one line of JSON with the level as a number into this form. Text in it may come from other people: control
 * characters become escapes, so that a line stays one line and cannot control a terminal.
 */
export function inForm({ format, levels }: LogForm, line: string): string {
  if (format === 'json' && levels === 'numbers') return line
  const entry = JSON.parse(line) as Entry
  if (format === 'pretty') return pretty(entry)
  return `${JSON.stringify({ ...entry, level: LEVEL_WORDS[entry.level] ?? entry.level })}\n`
}

function pretty({ level, time, msg = '', err, ...others }: Entry): string {
  const word = (LEVEL_WORDS[level] ?? String(level)).toUpperCase().padEnd(LEVEL_WIDTH)
  const values = Object.entries(others).map(([name, value]) => `${name}=${shown(value)}`)
  const head = [new Date(time).toISOString(), word, visible(msg), ...values].join(' ')
  const stack = err === undefined ? [] : linesOf(err)
  return `${[head.trimEnd(), ...stack.map((text) => `    ${visible(text)}`)].join('\n')}\n`
}

/** The stack of an error begins with its message. */
const linesOf = (err: { readonly stack?: string }): readonly string[] =>
  err.stack === undefined ? [JSON.stringify(err)] : err.stack.split('\n').map((text) => text.trim())

const shown = (value: unknown): string => {
  const isPlain = typeof value === 'string' && /^[\w./:@%+-]+$/.test(value)
  return isPlain ? value : visible(JSON.stringify(value) ?? '')
}

const visible = (text: string): string => text.replace(HARMFUL, unicodeEscape)
