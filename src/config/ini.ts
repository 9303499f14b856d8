/**
 * Reads ini files as Python's `configparser` does, because that is what people have. Differences: a
 * lone `%` stays, and every fault is told, not only the first. Faults never quote what they found, since
 * it may be part of a secret.
 */

/** One thing that is wrong. Neither part has a secret in it. */
export interface Fault {
  /** File and line, environment variable or flag. */
  readonly where: string
  readonly problem: string
}

/** One key of the section, its `%` substituted. */
export interface IniEntry {
  /** In small letters. */
  readonly key: string
  /** Lines of a value are joined by `\n`, each without the white space around it. Empty: `''`. */
  readonly value: string
  /** Of the key, counted from 1. */
  readonly line: number
  /** Whether it stands in `[DEFAULT]`, where keys for other readers of the file may stand as well. */
  readonly isInherited: boolean
}

export interface IniContent {
  /** In the order of the file, `[DEFAULT]` first; each key once. */
  readonly entries: readonly IniEntry[]
  /** In the order of the file. With any of them, `entries` is not the whole. */
  readonly faults: readonly Fault[]
}

const SECTION = 'channelstream'
const DEFAULT_SECTION = 'DEFAULT'
/** How far references may lead through references, as in `configparser`. */
const MAX_DEPTH = 10
/** References can multiply a value; none that is meant gets near this. */
const MAX_VALUE_CHARACTERS = 65_536

interface RawEntry {
  readonly key: string
  readonly line: number
  readonly lines: string[]
}
type RawSection = Map<string, RawEntry>

/**
 * Reads the section `[channelstream]`, which inherits from `[DEFAULT]`; other sections are passed over.
 *
 * `text` may start with a byte order mark and have any line ends. `fileName` is for the faults.
 */
export function parseIni(text: string, fileName: string): IniContent {
  const reader = new IniReader(fileName)
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/)
  for (const [index, line] of lines.entries()) reader.read(line, index + 1)
  const { defaults, section, faults } = reader
  if (section === undefined) {
    const problem = `there is no section [${SECTION}]; put that line before the settings`
    return { entries: [], faults: [...faults, { where: fileName, problem }] }
  }
  const own = [...section.values()]
  const inherited = [...defaults.values()].filter(({ key }) => !section.has(key))
  const values = new Map([...defaults, ...section])
  const finish = (raw: RawEntry, isInherited: boolean): IniEntry[] => {
    const value = substitute(raw, values)
    if (typeof value === 'string') return [{ key: raw.key, value, line: raw.line, isInherited }]
    faults.push({ where: `${fileName}:${raw.line}`, problem: `${raw.key}: ${value.problem}` })
    return []
  }
  const entries = [
    ...inherited.flatMap((raw) => finish(raw, true)),
    ...own.flatMap((raw) => finish(raw, false)),
  ]
  return { entries, faults }
}

/** Goes through the lines once; what is indented deeper than the key above it belongs to its value. */
class IniReader {
  readonly defaults: RawSection = new Map()
  readonly faults: Fault[] = []
  /** `undefined` until the section was seen. */
  section: RawSection | undefined
  /** Where keys go; `undefined` in front of the first section, a map nobody reads in foreign ones. */
  #target: RawSection | undefined
  #isForeign = false
  #entry: RawEntry | undefined
  #indent = 0

  constructor(private readonly fileName: string) {}

  read(line: string, number: number): void {
    const content = line.trim()
    if (content.includes('\uFFFD')) this.#complain(number, 'this is not text in UTF-8')
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
    this.#isForeign = header !== SECTION && header !== DEFAULT_SECTION
    this.#target = header === DEFAULT_SECTION ? this.defaults : new Map<string, RawEntry>()
    if (header !== SECTION) return
    if (this.section !== undefined) this.#complain(line, `[${SECTION}] stands here a second time`)
    this.#target = this.section ??= new Map<string, RawEntry>()
  }

  #readKey(content: string, line: number): void {
    if (this.#target === undefined) {
      this.#target = new Map() // told once, not for each line
      this.#complain(line, 'this stands before the first [section]')
    }
    const [, name, value = ''] = /^([^=:]+)[=:](.*)$/s.exec(content) ?? []
    this.#entry = undefined
    if (name === undefined) {
      if (!this.#isForeign)
        this.#complain(line, 'expected a [section], `key = value` or `# comment`')
      return
    }
    const key = name.trim().toLowerCase()
    const before = this.#target.get(key)
    if (before !== undefined && !this.#isForeign) {
      this.#complain(line, `the same key stands in line ${before.line} already`)
    }
    this.#entry = { key, line, lines: [value.trim()] }
    if (before === undefined) this.#target.set(key, this.#entry)
  }

  #complain(line: number, problem: string): void {
    this.faults.push({ where: `${this.fileName}:${line}`, problem })
  }
}

/** The value with `%(key)s` replaced and `%%` made `%`, or why that cannot be. */
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
    const part = match[1] === undefined ? '%' : referred(match[1], values, depth)
    if (typeof part !== 'string') return part
    result += part
    if (result.length > MAX_VALUE_CHARACTERS) return { problem: 'the value is too long' }
  }
  return result + text.slice(end)
}

function referred(name: string, values: RawSection, depth: number): ReturnType<typeof substitute> {
  const raw = values.get(name.toLowerCase())
  if (raw === undefined) {
    return {
      problem: 'the value refers by %(…)s to a key that is not there; a plain % is written %%',
    }
  }
  if (depth >= MAX_DEPTH) return { problem: 'the value refers by %(…)s to itself, or too deep' }
  return substitute(raw, values, depth + 1)
}
