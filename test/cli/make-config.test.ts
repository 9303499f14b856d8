import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { makeConfig, renderIni } from '../../src/cli/make-config.ts'
import { loadConfig, type LoadedConfig } from '../../src/config/load.ts'

interface Asked {
  readonly output?: string
  readonly json?: string
  readonly env?: Readonly<Record<string, string>>
}

function make({ output = '-', json, env = {} }: Asked = {}) {
  const result = { printed: '', told: [] as string[], code: -1 }
  const command = {
    command: 'make-config' as const,
    output,
    ...(json === undefined ? {} : { json }),
  }
  result.code = makeConfig(command, {
    env,
    readFile: (path) => readFileSync(path, 'utf8'),
    print: (text) => void (result.printed += text),
    printError: (sentence) => void result.told.push(sentence),
  })
  return result
}

function load(ini: string): LoadedConfig {
  return loadConfig({ argv: ['-i', 'made.ini'], env: {}, readFile: () => ini })
}

function aDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'make-config-'))
  onTestFinished(() => {
    rmSync(path, { recursive: true })
  })
  return path
}

describe('makeConfig', () => {
  it('makes a file that loads as it is and listens everywhere', () => {
    const { config, notes } = load(make().printed)
    expect(config).toMatchObject({ host: '0.0.0.0', port: 8000, allow_posting_from: ['127.0.0.1'] })
    expect(notes.join()).not.toContain('secret')
  })

  it('makes secrets that are long, random and differ', () => {
    const made = [load(make().printed).config, load(make().printed).config]
    const secrets = made.flatMap((config) => [
      config.secret,
      config.admin_secret,
      config.cookie_secret,
    ])
    expect(new Set(secrets).size).toBe(6)
    for (const secret of secrets) expect(secret).toMatch(/^[\w-]{43}$/)
  })

  it('writes a file that only its owner may read, and never over another', () => {
    const output = join(aDirectory(), 'a.ini')
    const { printed, told, code: first } = make({ output })
    expect({ told, first }).toEqual({ told: [], first: 0 })
    expect(printed).toContain(`Wrote ${output}. Only you can read it.`)
    expect(printed).toContain(`channelstream --ini ${output}`)
    for (const line of readFileSync(output, 'utf8').split('\n')) {
      const value = /^(?:admin_|cookie_)?secret = (.+)/.exec(line)?.[1]
      if (value !== undefined) expect(printed).not.toContain(value)
    }
    expect(statSync(output).mode & 0o777).toBe(0o600)
    writeFileSync(output, 'precious')
    const second = make({ output })
    expect(second.code).toBe(1)
    expect(second.told).toEqual([
      `${output} already exists and was not changed. Choose another name.`,
    ])
    expect(readFileSync(output, 'utf8')).toBe('precious')
  })

  it('tells that a file cannot be written', () => {
    const { code, told } = make({ output: join(aDirectory(), 'missing', 'a.ini') })
    expect(code).toBe(1)
    expect(told.join()).toContain('ENOENT')
  })

  it('takes values from JSON, and not from the environment then', () => {
    const json = JSON.stringify({
      secret: 'p@ss 100% wörd&=#;',
      port: 9000,
      debug: true,
      validate_requests: false,
      allow_posting_from: ['10.0.0.1', '10.0.0.2'],
    })
    const { config } = load(make({ json, env: { CHANNELSTREAM_ADMIN_USER: 'root' } }).printed)
    expect(config).toMatchObject({
      secret: 'p@ss 100% wörd&=#;',
      admin_user: 'admin',
      port: 9000,
      debug: true,
      validate_requests: false,
      allow_posting_from: ['10.0.0.1', '10.0.0.2'],
    })
  })

  it('takes values from the environment', () => {
    const env = {
      CHANNELSTREAM_ADMIN_USER: 'root',
      CHANNELSTREAM_LOG_LEVEL: 'WARNING',
      CHANNELSTREAM_DEMO: '1',
    }
    const { printed, told } = make({ env })
    expect(load(printed).config).toMatchObject({ admin_user: 'root', log_level: 'warn' })
    expect(told.join()).toContain('CHANNELSTREAM_DEMO: demo is ignored')
  })

  it.each([
    '{',
    '[]',
    '"x"',
    'null',
    '{"port": "x"}',
    '{"prot": 1}',
    '{"__proto__": 1}',
    '{"secret": " x"}',
    '{"secret_fallbacks": ["x", " y"]}',
    '{"secret_fallbacks": ["x", "#y"]}',
  ])('writes nothing for the JSON %s', (json) => {
    const { code, printed, told } = make({ json })
    expect([code, printed]).toEqual([1, ''])
    expect(told.join()).toContain('Invalid configuration:')
  })

  it.each([
    { secret_fallbacks: ['one', 'a, b; c', '100% = d: #'] },
    {
      secret_fallbacks: ['#first'],
      admin_secret_fallbacks: [],
      unlimited_users: ['system', 'a bot'],
    },
  ])('writes lists so that they are read as they were: %j', (given) => {
    const { config } = load(make({ json: JSON.stringify(given) }).printed)
    expect(config).toMatchObject(given)
    expect(config.secret).toMatch(/^[\w-]{43}$/)
  })

  it('never tells a secret of broken JSON', () => {
    expect(make({ json: '{"secret": "hunter2"' }).told.join()).not.toContain('hunter2')
  })
})

describe('renderIni', () => {
  it('shows every default as a comment that can be taken away', () => {
    // Without secrets, hosts have other defaults.
    const secrets = { secret: 'a', admin_secret: 'b', philote_secret: 'c' }
    const { config, sources } = load(renderIni(secrets).replace(/^#(\w+ =)/gm, '$1'))
    expect(config).toEqual(load(renderIni(secrets)).config)
    expect(sources.max_outbox_bytes).toMatch(/^made\.ini:\d+$/)
  })
})
