import { describe, expect, it } from 'vitest'
import { loadPhilote } from '../../src/config/philote-environment.ts'
import { SETTINGS } from '../../src/config/schema.ts'
import { faultsOf, load, SECRETS, section, type Sources } from './loading.ts'

const QUOTES = 'the quotes around the value are part of it'
const SPACE = 'the whitespace around the value is part of it'
const COMMENT = 'does not start a comment'
const UNSEEN = 'invisible characters'
const TEXTS = [
  'secret',
  'admin_user',
  'admin_secret',
  'cookie_secret',
  'webhook_secret',
  'philote_secret',
  'data_dir',
  'redis_ca_file',
  'redis_cert_file',
  'redis_key_file',
  'redis_sentinel_user',
]

const notesOf = (sources: Sources): readonly string[] =>
  load({ ...sources, env: { ...SECRETS, CHANNELSTREAM_ALLOW_CORS: 'a.example', ...sources.env } })
    .notes

/** Expects exactly one note, which begins with the place of the value and contains `part`. */
function expectNote(sources: Sources, where: string, part: string): void {
  const notes = notesOf(sources).filter((note) => !note.includes('process list'))
  expect(notes).toHaveLength(1)
  expect(notes[0]).toContain(part)
  expect(notes[0]?.startsWith(`${where}: `)).toBe(true)
  expect(notes[0]).not.toContain('hush')
}

describe('a value that is probably not meant so is noted, and kept', () => {
  it('for every setting that may be any text', () => {
    expect(SETTINGS.filter(({ isText }) => isText).map(({ name }) => name)).toEqual(TEXTS)
  })

  it.each(TEXTS)('%s in quotes, in a file, a variable or a flag', (name) => {
    const env = { CHANNELSTREAM_SECRET: '', CHANNELSTREAM_ADMIN_SECRET: '' }
    const ini = section(...TEXTS.map((text) => `${text} = ${text === name ? '"hush"' : 'fine'}`))
    const sources = { ini, env }
    expectNote(sources, `a.ini:${TEXTS.indexOf(name) + 2}`, `${name}: ${QUOTES}`)
    expect(load(sources).config).toMatchObject({ [name]: '"hush"' })
    const variable = `CHANNELSTREAM_${name.toUpperCase()}`
    expectNote({ env: { [variable]: "'hush'" } }, variable, QUOTES)
    const flag = `--${name.replaceAll('_', '-')}`
    expectNote({ argv: [`${flag}="hush"`] }, flag, QUOTES)
  })

  it.each([
    ['"hush" # ours', [COMMENT]],
    ['hush ; ours', [COMMENT]],
    ['hush\u200B', [UNSEEN]],
    ['\u200E"hush"', [UNSEEN]],
    ['"', []],
    ['""', [QUOTES]],
    ['"hush\'', []],
    ['hush#ours;', []],
    ['it is "so"', []],
    ['"a" and "b"', [QUOTES]],
  ])('%j in a file: %j', (value, parts) => {
    const notes = notesOf({ ini: section(`cookie_secret = ${value}`) })
    expect(notes).toHaveLength(parts.length)
    for (const [at, part] of parts.entries()) expect(notes[at]).toContain(part)
  })

  it('with white space around it, where nothing removes that', () => {
    for (const secret of [' hush', 'hush ', 'hush\u00A0'])
      expectNote({ env: { CHANNELSTREAM_SECRET: secret } }, 'CHANNELSTREAM_SECRET', SPACE)
    expect(notesOf({ ini: section('cookie_secret =   hush  ') })).toEqual([])
  })

  it('in each line of a list of texts', () => {
    const lines = ['secret_fallbacks = fine', '  "hush"', '  hush # ours', "  'hush'"]
    const notes = notesOf({ ini: section(...lines) })
    expect(notes).toHaveLength(2)
    expect(notes[0]).toContain(`a.ini:2: secret_fallbacks: ${QUOTES}`)
    expect(notes[1]).toContain(COMMENT)
    expect(notes.join()).not.toContain('hush')
    const variable = 'CHANNELSTREAM_PHILOTE_SECRET_FALLBACKS'
    expectNote({ env: { [variable]: 'fine\n hush' } }, variable, SPACE)
    expect(notesOf({ env: { [variable]: 'fine\nhush\n' } })).toEqual([])
  })

  it('except in a list, which would not be valid', () => {
    const ini = section('allow_cors = "a.example", b.example')
    const faults = faultsOf({ ini })
    expect(faults).toHaveLength(1)
    expect(faults[0]).toMatch(/^a\.ini:2: allow_cors: invalid value .*; leave out the quotes$/)
  })

  it('and nothing is noted of a file with a byte order mark and the line ends of Windows', () => {
    const ini = `\uFEFF${section('secret = hush', 'admin_user = ann', 'port = 1')}`
    const sources = { ini: ini.replaceAll('\n', '\r\n'), env: { CHANNELSTREAM_SECRET: '' } }
    expect(notesOf(sources)).toEqual([])
    expect(load(sources).config).toMatchObject({ secret: 'hush', admin_user: 'ann', port: 1 })
  })

  it('as the SECRET of Philote by itself', () => {
    const { settings, notes } = loadPhilote([], { SECRET: '"hush"' })
    expect(settings.secret).toBe('"hush"')
    expect(notes).toEqual([expect.stringContaining(`SECRET: ${QUOTES}`)])
    expect(loadPhilote([], { SECRET: 'hush' }).notes).toEqual([])
    const fallbacks = loadPhilote([], { SECRET: 'hush', SECRET_FALLBACKS: 'fine\n"hush"' })
    expect(fallbacks.notes).toEqual([expect.stringContaining(`SECRET_FALLBACKS: ${QUOTES}`)])
  })
})

describe('a value that cannot be read because of its quotes', () => {
  it('is refused with that, and a secret one is not shown', () => {
    const ini = section('port = "8000"', 'redis_url = "redis://:hush@127.0.0.1"', 'host = x')
    const faults = faultsOf({ ini, env: SECRETS })
    expect(faults).toHaveLength(2)
    for (const fault of faults) expect(fault).toContain(QUOTES)
    expect(faults[0]).toContain('a.ini:2: port: ')
    expect(faults.join()).not.toContain('hush')
  })
})
