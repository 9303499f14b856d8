import { describe, expect, it } from 'vitest'
import { makeConfig } from '../../src/cli/make-config.ts'
import { CHANNEL_SETTING_NAMES } from '../../src/config/channels.ts'
import { parseConfig } from '../../src/config/load.ts'
import { ChannelConfig } from '../../src/protocol/requests.ts'
import { faultsOf, load, section } from './loading.ts'

const plain = (sections: readonly { pattern: string; settings: object }[]) =>
  Object.fromEntries(sections.map(({ pattern, settings }) => [pattern, settings]))

const INI = `[DEFAULT]
keep = 50

[channel:chat-*]
store_history = yes
HISTORY_SIZE: %(keep)s
history_ttl = 3600
notify_presence =

[channelstream]
port = 1

# with a bracket
[channel: a]b ]
notify_state = on
`
const FROM_INI = {
  'chat-*': { store_history: true, history_size: 50, history_ttl: 3600 },
  'a]b': { notify_state: true },
}

describe('sections of channels', () => {
  it('are read from the ini file, wherever they are', () => {
    const { config, sources } = load({ ini: INI })
    expect(plain(config.channel_settings)).toEqual(FROM_INI)
    expect(config.port).toBe(1)
    expect(sources.channel_settings).toBe('a.ini:4')
  })

  it('are one JSON object in the environment and in a flag, which replace those of the file', () => {
    const given = { lobby: { history_size: 3 }, '*': { store_frames: false } }
    const json = JSON.stringify(given)
    expect(
      plain(
        load({ ini: INI, env: { CHANNELSTREAM_CHANNEL_SETTINGS: json } }).config.channel_settings,
      ),
    ).toEqual(given)
    expect(
      plain(load({ ini: INI, argv: ['--channel-settings', json] }).config.channel_settings),
    ).toEqual(given)
    expect(
      plain(load({ ini: section(`channel_settings = ${json}`) }).config.channel_settings),
    ).toEqual(given)
    expect(plain(parseConfig({ channel_settings: json }).channel_settings)).toEqual(given)
  })

  it('are none by default, and in an empty value', () => {
    expect(load({}).config.channel_settings).toEqual([])
    expect(
      plain(load({ ini: INI, argv: ['--channel-settings='] }).config.channel_settings),
    ).toEqual(FROM_INI)
  })

  it('have the settings that a request can have', () => {
    expect(CHANNEL_SETTING_NAMES.toSorted()).toEqual(Object.keys(ChannelConfig.shape).toSorted())
  })

  it('tell every fault, with its line', () => {
    const ini = `[channelstream]
channel_settings = {"a": {}}
[channel:chat-*]
stor_history = true
history_size = many
history_ttl = -1
[channel:]
[channel:a*b]
[channel:chat-*]
[channel:${'x'.repeat(257)}]
[channel:old]
secret = hunter2
`
    expect(faultsOf({ ini })).toEqual([
      'a.ini:9: duplicate section [channel:chat-*]',
      'a.ini:2: channel_settings: use either this setting or sections [channel:…], not both',
      'a.ini:4: [channel:chat-*] unknown setting of channels "stor_history"; did you mean store_history?',
      'a.ini:5: [channel:chat-*] history_size: invalid value "many", expected a whole number from 0 to 1000000',
      'a.ini:6: [channel:chat-*] history_ttl: invalid value "-1", expected a whole number of seconds from 0 to 1000000000',
      'a.ini:7: [channel:]: expected a name or a prefix, such as [channel:chat-*]',
      'a.ini:8: [channel:a*b]: a * is possible only at the end',
      `a.ini:10: [channel:${'x'.repeat(257)}]: longer than 256 characters`,
      'a.ini:12: [channel:old] unknown setting of channels "secret"',
    ])
  })

  it.each([
    ['{', ''],
    ['[]', ''],
    ['{"a": 1}', '; a: expected an object of settings'],
    [
      '{"a": {"history_size": "x"}}',
      '; a: history_size: invalid value "x", expected a whole number from 0 to 1000000',
    ],
    ['{"a*b": {}}', '; a*b: a * is possible only at the end'],
    [
      '{"a": {"histroy_size": 1}}',
      '; a: unknown setting of channels "histroy_size"; did you mean history_size?',
    ],
  ])('are refused as JSON %s', (json, advice) => {
    const [fault = ''] = faultsOf({ argv: [`--channel-settings=${json}`] })
    expect(fault).toMatch(
      /^--channel-settings: invalid value ".*", expected a JSON object such as /,
    )
    expect(fault.endsWith(`"history_size": 100}}${advice}`), fault).toBe(true)
  })

  it('may not have a longer history than a request may have', () => {
    const ini = `${section('max_history_size = 100')}[channel:a]\nhistory_size = 101\n[channel:b]\nhistory_size = 100\n`
    expect(faultsOf({ ini })).toEqual([
      'a.ini:3: [channel:a] history_size: larger than max_history_size, which is 100',
    ])
    expect(faultsOf({ argv: ['--channel-settings={"a": {"history_size": 1001}}'] })).toEqual([
      '--channel-settings: [channel:a] history_size: larger than max_history_size, which is 1000',
    ])
    expect(() => parseConfig({ channel_settings: '{"a": {"history_size": 1001}}' })).toThrow(
      'larger than max_history_size',
    )
  })

  it('are missed at the start if only they may exist, and there are none', () => {
    const note = expect.stringContaining('allow_unlisted_channels is false') as string
    const ini = section('allow_unlisted_channels = no')
    expect(load({ ini }).notes).toContainEqual(note)
    expect(load({ ini: `${ini}[channel:a]\n` }).notes).not.toContainEqual(note)
    expect(load({}).notes).not.toContainEqual(note)
  })

  it('are written as sections by make-config, and read again', () => {
    const settings = { 'chat-*': { store_history: true, history_size: 7 }, 'a]b%(c)s': {} }
    let printed = ''
    const code = makeConfig(
      { command: 'make-config', output: '-', json: JSON.stringify({ channel_settings: settings }) },
      {
        env: {},
        readFile: () => '',
        print: (text) => void (printed += text),
        printError: () => {},
      },
    )
    expect(code).toBe(0)
    expect(printed).toContain('\n[channel:chat-*]\nstore_history = true\nhistory_size = 7\n')
    expect(plain(load({ ini: printed }).config.channel_settings)).toEqual(settings)
  })

  it('are shown as a comment by make-config, which works without its marks', () => {
    let printed = ''
    makeConfig(
      { command: 'make-config', output: '-' },
      {
        env: {},
        readFile: () => '',
        print: (text) => void (printed += text),
        printError: () => {},
      },
    )
    expect(load({ ini: printed }).config.channel_settings).toEqual([])
    const begin = printed.indexOf('# [channel:')
    const ini = printed.slice(0, begin) + printed.slice(begin).replace(/^# /gm, '')
    expect(Object.keys(plain(load({ ini }).config.channel_settings))).toEqual(['chat-*', 'news'])
  })
})
