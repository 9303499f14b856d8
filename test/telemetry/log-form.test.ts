import { afterAll, describe, expect, it } from 'vitest'
import { inForm } from '../../src/telemetry/log-form.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'

afterAll(killProcesses)

const PRETTY = { format: 'pretty', levels: 'numbers' } as const
const line = (entry: object): string =>
  `${JSON.stringify({ level: 40, time: Date.UTC(2026, 11, 1, 9, 30), ...entry })}\n`

describe('a line of the log', () => {
  it('is left as it is by default', () => {
    const text = '{"level":40,  "msg":"odd"}\n'
    expect(inForm({ format: 'json', levels: 'numbers' }, text)).toBe(text)
  })

  it.each([
    [10, 'trace'],
    [20, 'debug'],
    [30, 'info'],
    [40, 'warn'],
    [50, 'error'],
    [60, 'fatal'],
    [35, 35],
  ])('has the level %i as %s, at its place', (level, word) => {
    const text = inForm({ format: 'json', levels: 'words' }, line({ level, msg: 'hello', a: [1] }))
    expect(text.endsWith('}\n')).toBe(true)
    expect(Object.entries(JSON.parse(text) as object)).toEqual([
      ['level', word],
      ['time', expect.any(Number)],
      ['msg', 'hello'],
      ['a', [1]],
    ])
  })

  it('is text for people', () => {
    const entry = {
      reason: 'total',
      refused: 3,
      network: '2001:db8::/64',
      msg: 'sockets are refused',
    }
    expect(inForm(PRETTY, line(entry))).toBe(
      '2026-12-01T09:30:00.000Z WARN  sockets are refused reason=total refused=3 network=2001:db8::/64\n',
    )
    const other = { level: 30, text: 'two words', none: null, list: ['a'] }
    expect(inForm(PRETTY, line(other))).toBe(
      '2026-12-01T09:30:00.000Z INFO   text="two words" none=null list=["a"]\n',
    )
  })

  it('has the stack of an error below it', () => {
    const err = {
      type: 'Error',
      message: 'it broke',
      stack: 'Error: it broke\n    at here (a.js:1)',
    }
    expect(inForm(PRETTY, line({ level: 50, err, msg: 'a request failed' }))).toBe(
      '2026-12-01T09:30:00.000Z ERROR a request failed\n    Error: it broke\n    at here (a.js:1)\n',
    )
    const plain = inForm(PRETTY, line({ err: { code: 7 }, msg: 'odd' }))
    expect(plain).toContain('odd\n    {"code":7}\n')
  })

  it('cannot be broken up, and controls no terminal', () => {
    const evil = 'a\nb\u001b[2Jc\u009bd\u2028e\u202ef'
    const text = inForm(PRETTY, line({ msg: evil, user: evil, err: { stack: `x${evil}` } }))
    for (const harmful of ['\u001b', '\u009b', '\u2028', '\u202e'])
      expect(text).not.toContain(harmful)
    expect(text.trimEnd().split('\n')).toHaveLength(3) // the stack has two lines
  })
})

describe('the log of a server', () => {
  /** A request that is not HTTP is logged at level debug. */
  async function logged(settings: Record<string, string>): Promise<string> {
    const server = await ServerProcess.start({ settings: { log_level: 'debug', ...settings } })
    await fetch(server.url, { method: 'OPTIONS' })
    server.signal('SIGTERM')
    await server.ended()
    return server.stderr
  }

  const LISTENING: unknown = expect.stringContaining('listening')

  it('is JSON with numbers by default, and with words on request', async () => {
    const [first = ''] = (await logged({})).split('\n')
    expect(JSON.parse(first)).toMatchObject({
      level: 30,
      msg: LISTENING,
    })
    const [word = ''] = (await logged({ log_levels: 'words' })).split('\n')
    expect(JSON.parse(word)).toMatchObject({
      level: 'info',
      msg: LISTENING,
    })
  })

  it('is text with log_format = pretty', async () => {
    expect(await logged({ log_format: 'pretty' })).toMatch(
      /^\d{4}-\d\d-\d\dT[\d:.]+Z INFO {2}Server listening at http:/m,
    )
  })
})
