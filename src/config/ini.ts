/**
 * Reads ini files as Python's `configparser` does, so that existing files work. Differences: a single `%`
 * is kept, and all faults are reported, not only the first. Faults never quote the text of the file, since
 * it may be part of a secret.
 */

/** One fault. Neither part contains a secret. */
export interface Fault {
  /** File and line, environment variable or flag. */
  readonly where: string
  readonly problem: string
}

/** One key of the section, with its `%` references substituted. */
export interface IniEntry {
  /** In lower case. */
  readonly key: string
  /** Lines of the value are trimmed and joined by `\n`. `''` if the value is empty. */
  readonly value: string
  /** Line of the key, from 1. */
  readonly line: number
  /** Whether it is in `[DEFAULT]`, which may also contain keys for other readers of the file. */
  readonly isInherited: boolean
}

export interface IniContent {
  /** In the order of the file, `[DEFAULT]` first. Each key occurs once. */
  readonly entries: readonly IniEntry[]
  /** The sections `[channel:…]`, in the order of the file. */
  readonly sections?: readonly IniSection[]
  /** In the order of the file. If there are any, `entries` is incomplete. */
  readonly faults: readonly Fault[]
}

/** A section with settings of channels. */
export interface IniSection {
  /** What follows `channel:` in its name. */
  readonly pattern: string
  readonly line: number
  readonly entries: readonly IniEntry[]
}

const SECTION = 'channelstream'
const DEFAULT_SECTION = 'DEFAULT'
const CHANNEL_SECTION = /^channel:(.*)$/s
/** Maximum nesting of references, as in `configparser`. */
const MAX_DEPTH = 10
/** References can multiply the length of a value. No intended value comes near this limit. */
const MAX_VALUE_CHARACTERS = 65_536

interface RawEntry {
  readonly key: string
  readonly line: number
  readonly lines: string[]
}
type RawSection = Map<string, RawEntry>

/**
 * Reads the section `[channelstream]`, which inherits from `[DEFAULT]`, and the sections `[channel:…]`, which only may
 * refer to `[DEFAULT]`. Ignores other sections.
 *
 * `text` may start with a byte order mark and have any line ends. `fileName` appears in faults.
 */
export function parseIni(text: string, fileName: string): IniContent {
  const reader = new IniReader(fileName)
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/)
  for (const [index, line] of lines.entries()) reader.read(line, index + 1)
  const { defaults, section, channels, faults } = reader
  if (section === undefined) {
    const problem = `missing section [${SECTION}]; put this line before the settings`
    return { entries: [], faults: [...faults, { where: fileName, problem }] }
  }
  const own = [...section.values()]
  const inherited = [...defaults.values()].filter(({ key }) => !section.has(key))
  const finisher =
    (values: RawSection) =>
    (raw: RawEntry, isInherited: boolean): IniEntry[] => {
      const value = substitute(raw, values)
      if (typeof value === 'string') return [{ key: raw.key, value, line: raw.line, isInherited }]
      faults.push({ where: `${fileName}:${raw.line}`, problem: `${raw.key}: ${value.problem}` })
      return []
    }
  const finish = finisher(new Map([...defaults, ...section]))
  const entries = [
    ...inherited.flatMap((raw) => finish(raw, true)),
    ...own.flatMap((raw) => finish(raw, false)),
  ]
  const sections = [...channels].map(([pattern, { line, raw }]) => {
    const finishOwn = finisher(new Map([...defaults, ...raw]))
    return { pattern, line, entries: [...raw.values()].flatMap((one) => finishOwn(one, false)) }
  })
  return { entries, ...(sections.length > 0 && { sections }), faults }
}

/** Reads line by line. A line that is indented deeper than the key above it continues the value of that key. */
class IniReader {
  readonly defaults: RawSection = new Map()
  readonly faults: Fault[] = []
  /** `undefined` until the section is found. */
  section: RawSection | undefined
  /** The sections `[channel:…]`, by what follows. */
  readonly channels = new Map<string, { readonly line: number; readonly raw: RawSection }>()
  /** Where keys are added. `undefined` before the first section; in other sections, a map that is never read. */
  #target: RawSection | undefined
  #isForeign = false
  #entry: RawEntry | undefined
  #indent = 0

  constructor(private readonly fileName: string) {}

  read(line: string, number: number): void {
    const content = line.trim()
    if (content.includes('\uFFFD')) this.#addFault(number, 'this line is not valid UTF-8')
    if (content === '') this.#entry?.lines.push('')
    if (content === '' || /^[#;]/.test(content)) return
    const indent = line.search(/\S/)
    if (this.#entry !== undefined && indent > this.#indent) {
      this.#entry.lines.push(content)
      return
    }
    this.#indent = indent
    const header = /^\[(.+)\]/.exec(content)?.[1]
    if (header === undefined) this.#readKey(content, number)
    else this.#open(header, number)
  }

  #open(header: string, line: number): void {
    this.#entry = undefined
    const pattern = CHANNEL_SECTION.exec(header)?.[1]?.trim()
    if (pattern !== undefined) return this.#openChannels(pattern, line)
    this.#isForeign = header !== SECTION && header !== DEFAULT_SECTION
    this.#target = header === DEFAULT_SECTION ? this.defaults : new Map<string, RawEntry>()
    if (header !== SECTION) return
    if (this.section !== undefined) this.#addFault(line, `duplicate section [${SECTION}]`)
    this.#target = this.section ??= new Map<string, RawEntry>()
  }

  #openChannels(pattern: string, line: number): void {
    this.#isForeign = false
    if (this.channels.has(pattern)) this.#addFault(line, `duplicate section [channel:${pattern}]`)
    const raw = this.channels.get(pattern)?.raw ?? new Map<string, RawEntry>()
    this.channels.set(pattern, { line, raw })
    this.#target = raw
  }

  #readKey(content: string, line: number): void {
    if (this.#target === undefined) {
      this.#target = new Map() // report this once, not for each line
      this.#addFault(line, 'this line is before the first [section]')
    }
    const [, name, value = ''] = /^([^=:]+)[=:](.*)$/s.exec(content) ?? []
    this.#entry = undefined
    if (name === undefined) {
      if (!this.#isForeign)
        this.#addFault(line, 'expected a [section], `key = value` or `# comment`')
      return
    }
    const key = name.trim().toLowerCase()
    const before = this.#target.get(key)
    if (before !== undefined && !this.#isForeign) {
      this.#addFault(line, `duplicate key, first used on line ${before.line}`)
    }
    this.#entry = { key, line, lines: [value.trim()] }
    if (before === undefined) this.#target.set(key, this.#entry)
  }

  #addFault(line: number, problem: string): void {
    this.faults.push({ where: `${this.fileName}:${line}`, problem })
  }
}

/** Returns the value with `%(key)s` substituted and `%%` unescaped, or why that is not possible. */
function substitute(
  raw: RawEntry,
  values: RawSection,
  depth = 0,
): string | { readonly problem: string } {
  const text = raw.lines.join('\n').trimEnd()
  let result = ''
  let end = 0
  for (const match of text.matchAll(/%%|%\(([^)]*)\)s/g)) {
    result += text.slice(end, match.index)
    end = match.index + match[0].length
    const part = match[1] === undefined ? '%' : resolveReference(match[1], values, depth)
    if (typeof part !== 'string') return part
    result += part
    if (result.length > MAX_VALUE_CHARACTERS) return { problem: 'the value is too long' }
  }
  return result + text.slice(end)
}

function resolveReference(
  name: string,
  values: RawSection,
  depth: number,
): ReturnType<typeof substitute> {
  const raw = values.get(name.toLowerCase())
  if (raw === undefined) {
    return { problem: '%(…)s refers to an unknown key; write %% for a plain %' }
  }
  if (depth >= MAX_DEPTH) return { problem: '%(…)s refers to itself, or is nested too deeply' }
  return substitute(raw, values, depth + 1)
}
