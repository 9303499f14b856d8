/** Settings of channels by name or prefix: sections of the ini file, or one JSON object in the other sources. */
import { nearest } from './nearest.ts'
import {
  LONGEST_AGE_SECONDS,
  MAX_COUNT,
  Unreadable,
  count,
  isEmpty,
  setting,
  trueOrFalse,
  type Kind,
} from './values.ts'

const KINDS = {
  notify_presence: trueOrFalse,
  store_history: trueOrFalse,
  history_size: count(0, MAX_COUNT),
  broadcast_presence_with_user_lists: trueOrFalse,
  notify_state: trueOrFalse,
  store_frames: trueOrFalse,
  history_ttl: count(0, LONGEST_AGE_SECONDS, 'of seconds '),
}

type ValueOf<Of> = Of extends Kind<infer Value> ? Value : never
type Settings = { -readonly [Name in keyof typeof KINDS]?: ValueOf<(typeof KINDS)[Name]> }

/** Settings for the channels that a pattern matches. */
export interface ChannelSection {
  /** The name of a channel, or the beginning of names and `*`. */
  readonly pattern: string
  readonly settings: Readonly<Settings>
  /** Its place in a file. */
  readonly where?: string
}

/** The names of the settings that a section may have. */
export const CHANNEL_SETTING_NAMES = Object.keys(KINDS) as (keyof typeof KINDS)[]

/** In code points, as for names of channels. */
const MAX_NAME_LENGTH = 256

/** Returns what is wrong with a pattern. */
export function patternProblem(pattern: string): string | undefined {
  const name = pattern.replace(/\*$/, '')
  if (pattern === '') return 'expected a name or a prefix, such as [channel:chat-*]'
  if (name.includes('*')) return 'a * is possible only at the end'
  if ([...name].length > MAX_NAME_LENGTH) return `longer than ${MAX_NAME_LENGTH} characters`
  return undefined
}

/** Reads one setting of a section. Undefined: the value is empty, so the default applies. */
export function readChannelSetting(
  name: string,
  raw: unknown,
): { readonly problem: string } | { readonly settings: Settings } {
  if (!Object.hasOwn(KINDS, name)) return { problem: unknownName(name) }
  if (isEmpty(raw)) return { settings: {} }
  const kind = KINDS[name as keyof Settings]
  const value = kind.read(raw)
  if (!(value instanceof Unreadable)) return { settings: { [name]: value } }
  return { problem: `${name}: invalid value ${JSON.stringify(raw)}, expected ${kind.expected}` }
}

function unknownName(name: string): string {
  const found = nearest(name, CHANNEL_SETTING_NAMES)
  const advice = found === undefined ? '' : `; did you mean ${found}?`
  return `unknown setting of channels ${JSON.stringify(name)}${advice}`
}

const channelSections: Kind<readonly ChannelSection[]> = {
  expected: 'a JSON object such as {"chat-*": {"store_history": true, "history_size": 100}}',
  read(raw) {
    const read = readSections(raw)
    return 'problem' in read ? new Unreadable(raw) : Object.freeze(read.sections)
  },
  advice(raw) {
    const read = readSections(raw)
    return 'problem' in read && read.problem !== '' ? `; ${read.problem}` : ''
  },
}

type Sections = { readonly sections: ChannelSection[] } | { readonly problem: string }

/** Reads an object of settings by pattern, its JSON, or a list of sections. */
function readSections(raw: unknown): Sections {
  const given = typeof raw === 'string' ? parsed(raw) : raw
  const isList = Array.isArray(given)
  if (typeof given !== 'object' || given === null || (isList && given !== raw))
    return { problem: '' }
  const sections: ChannelSection[] = []
  const entries = isList ? (given as Partial<ChannelSection>[]) : entriesOf(given)
  for (const { pattern = '', settings, where } of entries) {
    const read = readSettings(settings)
    const problem = patternProblem(pattern) ?? ('problem' in read ? read.problem : undefined)
    if (problem !== undefined) return { problem: `${pattern}: ${problem}` }
    if ('settings' in read)
      sections.push({ pattern, settings: read.settings, ...(where !== undefined && { where }) })
  }
  return { sections }
}

const entriesOf = (given: object): Partial<ChannelSection>[] =>
  Object.entries(given).map(([pattern, settings]) => ({ pattern, settings: settings as object }))

function readSettings(given: unknown): ReturnType<typeof readChannelSetting> {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return { problem: 'expected an object of settings' }
  const settings: Settings = {}
  for (const [name, raw] of Object.entries(given)) {
    const read = readChannelSetting(name, raw)
    if ('problem' in read) return read
    Object.assign(settings, read.settings)
  }
  return { settings }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

export const CHANNELS = {
  channel_settings: setting(
    channelSections,
    [],
    'Settings that new channels get, by name or by prefix with *. In the ini file, write sections such as ' +
      '[channel:chat-*] instead. The longest match applies, and what a request says overrides it.',
  ),
  allow_unlisted_channels: setting(
    trueOrFalse,
    true,
    'false: only channels that match a section may exist. A request that joins, configures or posts to another ' +
      'one is rejected with 422, so that a misspelt name is an error. Philote clients cannot read or write it.',
  ),
}
