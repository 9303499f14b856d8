/**
 * Reads flags as Go programs do: one dash or two, `-name value` or `-name=value`. Flags end at `--` or at the first
 * word that is not a flag. The rest is ignored, as in the old tools.
 */
import { BOOLEAN } from '../config/philote-environment.ts'

export interface Flag {
  /** The name of its value in the help. Without it, the flag is a switch. */
  readonly value?: string
  readonly about: string
  readonly default?: string
}

export type Flags = Readonly<Record<string, Flag>>

export type FlagValues<Known extends Flags> = {
  readonly [Name in keyof Known]: Known[Name] extends { readonly value: string }
    ? Known[Name] extends { readonly default: string }
      ? string
      : string | undefined
    : boolean
}

/** The command does not run: help was requested (status 0), or the arguments are wrong (status 2). */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  constructor(
    readonly status: 0 | 2,
    message: string,
  ) {
    super(message)
  }
}

/** The flags of a command, and the line above them in the help. */
export interface Usage<Known extends Flags> {
  readonly summary: string
  readonly flags: Known
}

/**
 * Throws a {@link UsageError} for unknown flags and missing values. Its text never contains a value, which may be a
 * secret.
 */
export function readFlags<Known extends Flags>(
  usage: Usage<Known>,
  argv: readonly string[],
): FlagValues<Known> {
  const { flags } = usage
  const values: Record<string, string | boolean | undefined> = {}
  for (const [name, flag] of Object.entries(flags))
    values[name] = flag.value === undefined ? false : flag.default
  const words = [...argv]
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const [, name, inline] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(word) ?? []
    if (name === undefined) {
      if (word === '-' || word === '--' || !word.startsWith('-')) break
      throw usageError(usage, 'bad flag syntax')
    }
    const flag = Object.hasOwn(flags, name) ? flags[name] : undefined
    if (!flag && (name === 'h' || name === 'help')) throw new UsageError(0, helpOf(usage))
    if (!flag) throw usageError(usage, `flag provided but not defined: -${name}`)
    const isSwitch = flag.value === undefined
    const value = isSwitch ? BOOLEAN.read(inline ?? 'true') : (inline ?? words.shift())
    if (value === undefined) {
      const problem = isSwitch ? `expected ${BOOLEAN.expected}` : 'needs an argument'
      throw usageError(usage, `flag -${name}: ${problem}`)
    }
    values[name] = value
  }
  return values as FlagValues<Known>
}

/** Makes the error for wrong flags: the problem, then the help. */
export const usageError = (usage: Usage<Flags>, problem: string): UsageError =>
  new UsageError(2, `${problem}\n${helpOf(usage)}`)

/** Returns the help: the summary, then the flags sorted by name. */
export function helpOf({ summary, flags }: Usage<Flags>): string {
  const names = Object.keys(flags).sort()
  return [summary, ...names.map((name) => flagHelp(name, flags[name] as Flag))].join('\n')
}

function flagHelp(name: string, { value, about, default: fallback }: Flag): string {
  const left = value === undefined ? `-${name}` : `-${name} ${value}`
  const right = fallback === undefined || fallback === '' ? '' : ` (default ${fallback})`
  return `  ${left}\n      ${about}${right}`
}
