import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/config/load.ts'
import { faultsOf, load, section } from './loading.ts'

describe('loadConfig', () => {
  it('lets flags win over the environment, that over the file, and that over defaults', () => {
    const ini = section('port = 1', 'admin_user = file', 'poll_gather = 1', 'channel_frames = 1')
    const env = {
      CHANNELSTREAM_PORT: '2',
      CHANNELSTREAM_ADMIN_USER: 'env',
      CHANNELSTREAM_POLL_GATHER: '2',
    }
    const { config, sources } = load({ ini, env, argv: ['--port', '3', '--admin-user=flag'] })
    expect(config).toMatchObject({ port: 3, admin_user: 'flag', poll_gather: 2, channel_frames: 1 })
    expect(sources).toMatchObject({
      port: '--port',
      admin_user: '--admin-user',
      poll_gather: 'CHANNELSTREAM_POLL_GATHER',
      channel_frames: 'a.ini:5',
      user_frames: 'default',
    })
  })

  it('lets empty values say nothing', () => {
    const env = { CHANNELSTREAM_PORT: '', CHANNELSTREAM_ADMIN_USER: ' ', CHANNELSTREAM_INI: '' }
    const { config } = load({ ini: section('port = 1', 'admin_user ='), env, argv: ['--port='] })
    expect(config).toMatchObject({ port: 1, admin_user: 'admin' })
  })

  it('reads files that were written for the Python server', () => {
    const ini = `# our server
[DEFAULT]
office = 192.168.0.0/24

[channelstream]
debug = 0
port = 8000
demo_app_url = http://127.0.0.1
demo = true
secret = p@ss wörd&=
admin_secret = 100%% ours % # really
allow_posting_from = 127.0.0.1,
                     # the workers
                     10.0.0.7,
                     %(office)s,

log_level = WARNING
signature_checker = channelstream.utils.DefaultSigner

[loggers]
keys = root
`
    const { config, notes } = load({ ini })
    expect(config).toMatchObject({
      host: '0.0.0.0',
      debug: false,
      secret: 'p@ss wörd&=',
      admin_secret: '100% ours % # really',
      allow_posting_from: ['127.0.0.1', '10.0.0.7', '192.168.0.0/24'],
      log_level: 'warn',
      signature_checker: '',
    })
    expect(notes.slice(0, 3)).toEqual([
      'a.ini:3: [DEFAULT] office is not a setting and is ignored.',
      expect.stringContaining('a.ini:8: demo_app_url is ignored'),
      expect.stringContaining('a.ini:9: demo is ignored'),
    ])
  })

  it('loads the example file', () => {
    const { config } = load({ ini: readFileSync('channelstream.ini.example', 'utf8') })
    expect(config).toEqual(parseConfig())
  })

  it('tells all faults at once, where they are and what was expected', () => {
    const ini = section('heartbeat = 5', 'debug = maybe', 'nonsense', 'gc_conns_after = -1')
    const env = { CHANNELSTREAM_PROT: '80', CHANNELSTREAM_MAX_BODY_BYTES: '1MB' }
    const argv = ['--log-levle', 'info', '--poll_gather=soon', 'stray', '--host', '0.0.0.0']
    expect(faultsOf({ ini, env, argv })).toEqual([
      'a.ini:4: expected a [section], `key = value` or `# comment`',
      'argument 6: expected a flag such as --port 9000',
      'a.ini:2: unknown setting "heartbeat"; did you mean heartbeat_interval?',
      'CHANNELSTREAM_PROT: unknown setting "prot"; did you mean CHANNELSTREAM_PORT?',
      '--log-levle: unknown setting "log_levle"; did you mean --log-level?',
      'a.ini:3: debug: invalid value "maybe", expected true or false (also yes/no, on/off, y/n, t/f, 1/0)',
      'a.ini:5: gc_conns_after: invalid value "-1", expected seconds, from 0.001 to 2147483, fractions allowed',
      '--poll-gather: invalid value "soon", expected seconds, from 0 to 2147483, fractions allowed',
      'CHANNELSTREAM_MAX_BODY_BYTES: invalid value "1MB", expected a whole number of bytes from 1 to 1073741824',
      expect.stringContaining('--host: other machines can reach 0.0.0.0'),
    ])
  })

  it('names the nearest setting as it is written there', () => {
    expect(faultsOf({ ini: section('hearbeat_interval = 5') })).toEqual([
      'a.ini:2: unknown setting "hearbeat_interval"; did you mean heartbeat_interval?',
    ])
  })

  it('never shows a secret', () => {
    const ini = section(
      'secret = hunter2',
      '  goes on',
      'secrte = hunter2',
      'cookie_secret hunter2',
    )
    const env = { CHANNELSTREAM_ADMIN_SECRET: 'hunter2\n', CHANNELSTREAM_SECRETT: 'hunter2' }
    const faults = faultsOf({ ini, env, argv: ['--cookie', 'hunter2', '--secret', 'a', 'hunter2'] })
    expect(faults.length).toBeGreaterThanOrEqual(5)
    expect(faults.join()).not.toContain('hunter2')
  })

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    'tells that %s is unknown, and takes no harm',
    (name) => {
      const [fault, ...others] = faultsOf({ ini: section(`${name} = x`) })
      expect(fault).toContain(`a.ini:2: unknown setting "${name.toLowerCase()}"`)
      expect(others).toEqual([])
      expect(faultsOf({ argv: [`--${name}=x`] })).toHaveLength(1)
      expect(({} as Record<string, unknown>).x).toBeUndefined()
    },
  )
})

describe('parseConfig', () => {
  it('fills in defaults, listens on this machine, and cannot be changed', () => {
    const config = parseConfig({ port: 0, allow_cors: ['a.example'] })
    expect(config).toMatchObject({
      port: 0,
      host: '127.0.0.1',
      allow_cors: ['a.example'],
      secret: 'secret',
    })
    expect(Object.isFrozen(config)).toBe(true)
    expect(Object.isFrozen(config.allow_cors)).toBe(true)
  })

  it('takes any host', () => {
    expect(parseConfig({ host: '0.0.0.0' }).host).toBe('0.0.0.0')
  })

  it('tells unknown names and all faults', () => {
    const settings = { prot: 1, port: -1, debug: 'x' } as object
    expect(() => parseConfig(settings)).toThrow(
      /did you mean port\?\n.*port: invalid value -1.*\n.*debug/,
    )
  })

  it('lets debug log at level debug, and leaves trace', () => {
    expect(parseConfig({ debug: true }).log_level).toBe('debug')
    expect(parseConfig({ debug: true, log_level: 'error' }).log_level).toBe('debug')
    expect(parseConfig({ debug: true, log_level: 'trace' }).log_level).toBe('trace')
  })
})
