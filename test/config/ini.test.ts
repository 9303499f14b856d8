import { describe, expect, it } from 'vitest'
import { parseIni } from '../../src/config/ini.ts'

function valuesOf(text: string): Record<string, string> {
  const { entries, faults } = parseIni(text, 'file.ini')
  expect(faults).toEqual([])
  return Object.fromEntries(entries.map(({ key, value }) => [key, value]))
}

function faultsOf(text: string): string[] {
  return parseIni(text, 'file.ini').faults.map(({ where, problem }) => `${where}: ${problem}`)
}

describe('parseIni', () => {
  it('reads the file that Channelstream 0.7 generates', () => {
    const text = `[channelstream]
admin_user = admin
# admin panel password
admin_secret = admin_secret
# auth cookie secret, leave empty for random string generated at server start
cookie_secret =${' '}
port = 8000
allow_posting_from = 127.0.0.1,
                     10.0.0.1
${' '.repeat(21)}
log_level = INFO
enforce_https = False

signature_checker = channelstream.utils.DefaultSigner
`
    expect(valuesOf(text)).toEqual({
      admin_user: 'admin',
      admin_secret: 'admin_secret',
      cookie_secret: '',
      port: '8000',
      allow_posting_from: '127.0.0.1,\n10.0.0.1',
      log_level: 'INFO',
      enforce_https: 'False',
      signature_checker: 'channelstream.utils.DefaultSigner',
    })
  })

  it('tells the line of each key', () => {
    const { entries } = parseIni(
      '# first\n[channelstream]\nport = 1\n  2\n\nhost = a\n',
      'file.ini',
    )
    expect(entries.map(({ key, line }) => [key, line])).toEqual([
      ['port', 3],
      ['host', 6],
    ])
  })

  it('continues values by indentation, over comments and empty lines', () => {
    const text = '[channelstream]\nlist = a,\n  b,\n  # of old\n; more\n\n  c\n  [d]\nnext = e\n'
    expect(valuesOf(text)).toEqual({ list: 'a,\nb,\n\nc\n[d]', next: 'e' })
  })

  it('lets keys be indented alike', () => {
    expect(valuesOf('[channelstream]\n  a = 1\n  b = 2\n c = 3\n')).toEqual({
      a: '1',
      b: '2',
      c: '3',
    })
  })

  it('takes = and :, whichever comes first, and keys in any letter case', () => {
    expect(valuesOf('[channelstream]\nA=b:c\nB: d=e\nC:=f\n')).toEqual({
      a: 'b:c',
      b: 'd=e',
      c: '=f',
    })
  })

  it('keeps # and ; behind a value', () => {
    expect(valuesOf('[channelstream]\na = 1 # one\nb = 2 ; two\n')).toEqual({
      a: '1 # one',
      b: '2 ; two',
    })
  })

  it.each([
    ['a byte order mark', '\uFEFF[channelstream]\na = 1\nb = 2\n'],
    ['line ends of Windows', '[channelstream]\r\na = 1\r\nb = 2\r\n'],
    ['line ends of old Macs', '[channelstream]\ra = 1\rb = 2'],
  ])('takes %s', (_, text) => {
    expect(valuesOf(text)).toEqual({ a: '1', b: '2' })
  })

  it('inherits [DEFAULT], whose keys are marked, and passes other sections over', () => {
    const text =
      '[DEFAULT]\na = 1\nb = 2\n[other]\nport = 1\nport = 2\nbroken\n[channelstream]\nb = 3\n'
    expect(parseIni(text, 'file.ini')).toEqual({
      entries: [
        { key: 'a', value: '1', line: 2, isInherited: true },
        { key: 'b', value: '3', line: 9, isInherited: false },
      ],
      faults: [],
    })
  })

  it('substitutes %(key)s, makes %% a percent sign and leaves a lone one', () => {
    const text =
      '[DEFAULT]\nnet = 10.0\n[channelstream]\na = %(net)s.0.1, %(B)s\nb = %(net)s.0.2\nc = 5%% 6% %(x\nd = %%(b)s\n'
    expect(valuesOf(text)).toEqual({
      net: '10.0',
      a: '10.0.0.1, 10.0.0.2',
      b: '10.0.0.2',
      c: '5% 6% %(x',
      d: '%(b)s',
    })
  })

  it('refuses references to nothing, to themselves, and those that grow without end', () => {
    expect(faultsOf('[channelstream]\na = %(hunter2)s\n')).toEqual([
      'file.ini:2: a: %(…)s refers to an unknown key; write %% for a plain %',
    ])
    expect(faultsOf('[channelstream]\na = %(b)s\nb = %(a)s\n')).toEqual([
      'file.ini:2: a: %(…)s refers to itself, or is nested too deeply',
      'file.ini:3: b: %(…)s refers to itself, or is nested too deeply',
    ])
    const grown = Array.from({ length: 9 }, (_, i) => `a${i} = ${`%(a${i + 1})s`.repeat(20)}\n`)
    expect(faultsOf(`[channelstream]\n${grown.join('')}a9 = xxxxxxxxxxxxxxxx\n`)).toContain(
      'file.ini:2: a0: the value is too long',
    )
  })

  it('tells every fault with its line and quotes no content', () => {
    const text = '[channelstream]\nport = 1\nhunter2\nPORT = 2\n= 3\n[channelstream]\nhost = a\n'
    expect(faultsOf(text)).toEqual([
      'file.ini:3: expected a [section], `key = value` or `# comment`',
      'file.ini:4: duplicate key, first used on line 2',
      'file.ini:5: expected a [section], `key = value` or `# comment`',
      'file.ini:6: duplicate section [channelstream]',
    ])
  })

  it('wants the section, and nothing but comments before the first', () => {
    expect(faultsOf('[app:main]\nport = 1\n')).toEqual([
      'file.ini: missing section [channelstream]; put this line before the settings',
    ])
    expect(faultsOf('; hello\nport = 1\nhost = a\n')).toEqual([
      'file.ini:2: this line is before the first [section]',
      'file.ini: missing section [channelstream]; put this line before the settings',
    ])
    expect(faultsOf('')).toHaveLength(1)
  })

  it('refuses what was not UTF-8', () => {
    const text = new TextDecoder().decode(
      Buffer.from('[channelstream]\nsecret = p\xE4ss\n', 'latin1'),
    )
    expect(faultsOf(text)).toEqual(['file.ini:2: this line is not valid UTF-8'])
  })

  it('treats names of object members as any other key', () => {
    const { entries } = parseIni('[channelstream]\n__proto__ = x\nconstructor = y\n', 'file.ini')
    expect(entries.map(({ key }) => key)).toEqual(['__proto__', 'constructor'])
  })
})
