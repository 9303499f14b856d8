import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { makeConfig } from '../../src/cli/make-config.ts'
import { ConfigError, loadConfig } from '../../src/config/load.ts'
import { SETTINGS } from '../../src/config/schema.ts'
import { Backend } from '../helpers/http.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { section } from './loading.ts'
import type { LoadedConfig } from '../../src/config/load.ts'

afterAll(killProcesses)

interface Sources {
  readonly argv?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly files?: Readonly<Record<string, string>>
}

function load({ argv = [], env = {}, files = {} }: Sources): LoadedConfig {
  return loadConfig({
    argv,
    env,
    readFile(path) {
      const text = files[path]
      if (text === undefined) throw new Error(`ENOENT: no such file or directory, open '${path}'`)
      return text
    },
    listDirectory(path) {
      if (path !== '/credentials') throw new Error(`ENOENT: no such file or directory, '${path}'`)
      const inside = Object.keys(files).filter((file) => file.startsWith('/credentials/'))
      return inside.map((file) => file.slice('/credentials/'.length))
    },
  })
}

function faultsOf(sources: Sources): readonly string[] {
  try {
    load(sources)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    const { message } = error as ConfigError
    expect(message).not.toContain('hush')
    return message
      .split('\n')
      .slice(1)
      .map((line) => line.trim())
  }
  return []
}

const FILES = { '/run/a': 'hush\n' }
const CREDENTIALS = { CREDENTIALS_DIRECTORY: '/credentials' }

describe('a secret in a file', () => {
  it('can be every setting that holds one, by variable, flag, ini file and credential', () => {
    const values: Readonly<Record<string, string>> = {
      redis_url: 'redis://:hush@127.0.0.1/1',
      philote_redis_url: 'redis://:hush@127.0.0.1/1',
      webhook_url: 'https://hush.example/',
    }
    const secrets = SETTINGS.filter(({ isSecret }) => isSecret)
    expect(secrets.length).toBeGreaterThan(9)
    for (const { name, variable, flag } of secrets) {
      const value = values[name] ?? 'hush'
      const files = { '/run/a': `${value}\n`, 'a.ini': section(`${name}_file = /run/a`) }
      const loads: LoadedConfig[] = [
        load({ files, env: { [`${variable}_FILE`]: '/run/a' } }),
        load({ files, argv: [`${flag}-file`, '/run/a'] }),
        load({ files, argv: [`--${name}_file=/run/a`] }),
        load({ files, argv: ['-i', 'a.ini'] }),
        load({ files: { [`/credentials/channelstream.${name}`]: `${value}\n` }, env: CREDENTIALS }),
      ]
      for (const { config } of loads) expect([config[name]].flat(), name).toEqual([value])
    }
  })

  it.each([
    ['one line feed at the end is removed', 'hush\n', 'hush'],
    ['also with a carriage return', 'hush\r\n', 'hush'],
    ['spaces belong to it', ' hush ', ' hush '],
    ['%, # and ; mean nothing', '%% #hush;%(port)s\n', '%% #hush;%(port)s'],
  ])('is its content: %s', (_rule, content, value) => {
    const env = { CHANNELSTREAM_SECRET_FILE: '/run/a' }
    expect(load({ env, files: { '/run/a': content } }).config.secret).toBe(value)
  })

  it('has one value on each line, if the setting is a list', () => {
    const env = { CHANNELSTREAM_SECRET_FALLBACKS_FILE: '/run/a' }
    const files = { '/run/a': 'one\n\ntwo, three\n' }
    expect(load({ env, files }).config.secret_fallbacks).toEqual(['one', 'two, three'])
  })

  it('may have another path in a source with precedence, and no path', () => {
    const files = {
      '/run/a': 'first',
      '/run/b': 'second',
      'a.ini': section('secret_file = /run/a'),
    }
    const env = { CHANNELSTREAM_SECRET_FILE: '/run/b' }
    expect(load({ files, env, argv: ['-i', 'a.ini'] }).config.secret).toBe('second')
    const none = { CHANNELSTREAM_SECRET_FILE: '' }
    expect(load({ files, env: none, argv: ['-i', 'a.ini'] }).config.secret).toBe('first')
  })

  it('is shown by its place alone, also to the operator who gave its path as a flag', () => {
    const { sources, notes } = load({ files: FILES, argv: ['--secret-file', '/run/a'] })
    expect(sources.secret).toBe('/run/a (--secret-file)')
    expect(notes.join()).not.toContain('process list')
    expect(notes.join()).not.toContain('hush')
  })

  it('counts as a secret of its own for the address', () => {
    const env = { CHANNELSTREAM_SECRET_FILE: '/run/a', CHANNELSTREAM_ADMIN_SECRET_FILE: '/run/a' }
    expect(load({ files: FILES, env }).config.host).toBe('0.0.0.0')
  })
})

describe('a secret in a file that cannot be used is a fault with setting and path', () => {
  const env = { CHANNELSTREAM_SECRET_FILE: '/run/a' }

  it('if the file cannot be read', () => {
    expect(faultsOf({ env })).toEqual([
      "CHANNELSTREAM_SECRET_FILE: secret: /run/a cannot be read: ENOENT: no such file or directory, open '/run/a'",
    ])
    const where = { CREDENTIALS_DIRECTORY: '/missing' }
    expect(faultsOf({ env: where })).toEqual([
      "CREDENTIALS_DIRECTORY: /missing cannot be read: ENOENT: no such file or directory, '/missing'",
    ])
  })

  it.each(['', '\n', ' \n'])('if it is empty (%j)', (content) => {
    const files = { '/run/a': content, '/credentials/channelstream.admin_secret': content }
    expect(faultsOf({ env: { ...env, ...CREDENTIALS }, files })).toEqual([
      'CHANNELSTREAM_SECRET_FILE: secret: /run/a is empty',
      '/credentials/channelstream.admin_secret: admin_secret: /credentials/channelstream.admin_secret is empty',
    ])
  })

  it('if it is not UTF-8, and if it has more lines than the setting', () => {
    expect(faultsOf({ env, files: { '/run/a': 'hush\uFFFD' } })).toEqual([
      'CHANNELSTREAM_SECRET_FILE: secret: /run/a is not valid UTF-8',
    ])
    expect(faultsOf({ env, files: { '/run/a': 'hush\nhush\n' } })).toEqual([
      '/run/a (CHANNELSTREAM_SECRET_FILE): secret: expected text on one line',
    ])
  })

  it.each<readonly [string, Sources, string]>([
    [
      'a variable',
      { env: { ...env, CHANNELSTREAM_SECRET: 'hush' }, files: FILES },
      'CHANNELSTREAM_SECRET_FILE: secret: secret is also given by CHANNELSTREAM_SECRET; use one of them',
    ],
    [
      'a line of the ini file',
      {
        argv: ['-i', 'a.ini', '--secret-file', '/run/a'],
        files: { ...FILES, 'a.ini': section('secret = hush') },
      },
      '--secret-file: secret: secret is also given by a.ini:2; use one of them',
    ],
  ])('if the value is given too, by %s', (_by, sources, fault) => {
    expect(faultsOf(sources)).toEqual([fault])
  })

  it('if a credential is given too', () => {
    const files = { ...FILES, '/credentials/channelstream.secret': 'hush' }
    expect(faultsOf({ env: { ...env, ...CREDENTIALS }, files })).toEqual([
      'CHANNELSTREAM_SECRET_FILE: secret: secret is also given by /credentials/channelstream.secret; use one of them',
      '/credentials/channelstream.secret: secret: secret is also given by /run/a (CHANNELSTREAM_SECRET_FILE); use one of them',
    ])
  })

  it('if the setting holds no secret, and so has no file', () => {
    expect(faultsOf({ env: { CHANNELSTREAM_PORT_FILE: '/run/a' } })).toHaveLength(1)
    expect(faultsOf({ argv: ['--secret-file'] })).toEqual(['--secret-file: missing value'])
  })
})

it('credentials of others, and the ini file among them, are left alone', () => {
  const files = {
    '/credentials/channelstream.ini': section('port = 9'),
    '/credentials/channelstream.port': '7',
    '/credentials/secret': 'hush',
  }
  expect(load({ env: CREDENTIALS, files }).config).toMatchObject({ port: 8000, secret: 'secret' })
})

it('make-config writes the value of a file', () => {
  const printed: string[] = []
  const errors: string[] = []
  const context = {
    env: { CHANNELSTREAM_SECRET_FILE: '/run/a' },
    print: (text: string) => void printed.push(text),
    printError: (text: string) => void errors.push(text),
  }
  const command = { command: 'make-config' as const, output: '-' }
  expect(makeConfig(command, { ...context, readFile: () => 'hush\n' })).toBe(0)
  expect(printed.join('\n')).toMatch(/^secret = hush$/m)
  expect(makeConfig(command, { ...context, readFile: () => '' })).toBe(1)
  expect(errors.join('\n')).toContain('secret: /run/a is empty')
})

describe('a server', () => {
  it('takes its secrets from files and from credentials', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'credentials-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    writeFileSync(join(directory, 'channelstream.admin_secret'), 'the password\n')
    const server = await ServerProcess.start({
      files: { 'the-secret': 'from a file\n' },
      args: ['--secret-file', 'the-secret'],
      env: { CREDENTIALS_DIRECTORY: directory },
    })
    expect((await new Backend(server, 'from a file').send('POST /info', {})).status).toBe(200)
    expect((await new Backend(server, 'secret').send('POST /info', {})).status).toBe(401)
    expect(server.output).not.toMatch(/not set: the default is public/)
    expect(server.output).not.toContain('the password')
  })

  it('does not start with a file that is a directory', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'a-secret-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    mkdirSync(join(directory, 'secret'))
    const settings = { secret_file: join(directory, 'secret'), port: 0 }
    const { exit, stderr } = await ServerProcess.run({ settings })
    expect(exit).toEqual({ code: 1, signal: null })
    expect(stderr).toContain(`secret: ${settings.secret_file} cannot be read: EISDIR`)
  })
})
