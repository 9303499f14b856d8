/** `channelstream export` and `import`: a server goes on with another store. */
import {
  chownSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { endAll } from '../helpers/ending.ts'
import { Backend, send, until } from '../helpers/http.ts'
import { MAIN, ServerProcess } from '../helpers/process.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { Listener } from '../helpers/websocket.ts'

type Settings = Readonly<Record<string, string | number>>

let redis: RedisServer
beforeAll(async () => {
  redis = await RedisServer.start()
})
afterAll(endAll)

function aDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'channelstream-data-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

const onDisk = (): Settings => ({ data_dir: aDirectory() })
const inRedis = (): Settings => ({ redis_url: redis.url, redis_prefix: freshPrefix() })

/** Runs a command as in a shell. `words`: arguments and redirections. */
async function run(settings: Settings, words: string, file?: string) {
  const command = ['/bin/sh', '-c', `exec "$0" "$MAIN" ${words}`, process.execPath] as const
  const env = { MAIN, FILE: file ?? '' }
  const { exit, stdout, stderr } = await ServerProcess.run({ command: [...command], settings, env })
  return { code: exit.code, stdout, stderr }
}

/** Returns the path of a snapshot. */
async function exported(from: Settings): Promise<string> {
  const file = join(aDirectory(), 'snapshot.jsonl')
  const { code, stderr } = await run(from, 'export > "$FILE"', file)
  expect(stderr).toMatch(/^Exported \d+ channels, .*\.\n/)
  expect(code).toBe(0)
  return file
}

async function moved(from: Settings, to: Settings): Promise<void> {
  const { code, stdout, stderr } = await run(to, 'import < "$FILE"', await exported(from))
  expect(stderr).toBe('')
  expect(stdout).toMatch(/^Imported \d+ channels, .*\.\n$/)
  expect(code).toBe(0)
}

const STAYS: Settings = { resume_window: 60, gc_conns_after: 60, max_history_size: 10_000 }

const start = async (store: Settings) => {
  const server = await ServerProcess.start({ settings: { ...STAYS, ...store } })
  return { server, backend: new Backend(server) }
}

async function stop(server: ServerProcess): Promise<void> {
  server.signal('SIGTERM')
  await server.ended()
}

/** A server with something in it, stopped. */
async function filled(store: Settings): Promise<void> {
  const { server, backend } = await start(store)
  const configs = { room: { store_history: true, history_size: 50 } }
  await backend.connect('ann', ['room'], { channel_configs: configs })
  await backend.say('room', 'hello')
  await stop(server)
}

const ROUTES = [
  ['a directory', 'Redis', onDisk, inRedis],
  ['Redis', 'a directory', inRedis, onDisk],
  ['a directory', 'another directory', onDisk, onDisk],
  ['Redis', 'another installation in Redis', inRedis, inRedis],
] as const

describe.each(ROUTES)('from %s to %s', (_from, _to, makeFrom, makeTo) => {
  it('is a pause for clients and backends', async () => {
    const [from, to] = [makeFrom(), makeTo()]
    const { server, backend } = await start(from)
    const settings = { store_history: true, history_size: 50, notify_presence: true }
    // Texts in which lines might end, and numbers that do not fit a double.
    const odd = 'a\u2028b\u2029c\r\nd "e" \\ 🙂'
    const ann = await backend.connect('ann', ['room', 'long'], {
      channel_configs: { room: settings, long: { ...settings, history_size: 5000 } },
      user_state: { big: 1, mood: odd },
      state_public_keys: ['mood'],
    })
    const bob = await backend.connect('bob', ['room', 'long'])
    const socket = await Listener.open(server, ann)
    await backend.say('room', 'seen')
    await socket.heard('seen')
    const cursor = socket.events.at(-1)?.id ?? ''
    await socket.breakOff()

    await backend.send('POST /message', {
      body: `[{"user":"ann","channel":"room","uuid":"${crypto.randomUUID()}","message":{"text":"exact","n":1234567890123456789}}]`,
    })
    const uuid = crypto.randomUUID()
    await backend.say('room', 'draft', { uuid })
    const edit = { uuid, channel: 'room', message: { text: odd } }
    await backend.call('PATCH /message', [edit])
    const pm = { user: 'backend', pm_users: ['ann'], message: { text: 'private' } }
    await backend.call('POST /message', [pm])
    await backend.sayAll('long', ['one', 'two', 'three'])
    const once = { headers: { 'idempotency-key': 'the-key' } }
    const retried = [{ user: 'backend', channel: 'room', message: { text: 'once' } }]
    await backend.send('POST /message', { ...once, json: retried })
    await backend.call('POST /unsubscribe', { conn_id: bob, channels: ['room'] })
    const info = await backend.info()
    const history = await backend.send('POST /history', { json: { channel: 'room' } })
    expect(history.text).toContain('1234567890123456789')
    await stop(server)

    await moved(from, to)
    const next = await start(to)
    expect(withoutTimes(await next.backend.info())).toEqual(withoutTimes(info))
    const again = await next.backend.send('POST /history', { json: { channel: 'room' } })
    expect(again.text).toBe(history.text)
    await next.backend.send('POST /message', { ...once, json: retried })
    await next.backend.say('room', 'later')
    const back = await Listener.open(next.server, ann, { cursor })
    await back.heard('later')
    expect(back.texts).toEqual(['exact', odd, 'private', 'one', 'two', 'three', 'once', 'later'])
    expect(back.events.filter(({ type }) => type === 'message:edit')).toHaveLength(1)
    expect(back.events.map(({ type }) => type)).not.toContain('gap')

    // He was removed: what was said until he joins again is not for him.
    await next.backend.call('POST /subscribe', { conn_id: bob, channels: ['room'] })
    await next.backend.say('room', 'for both')
    const { body } = await send(next.server, `GET /listen?conn_id=${bob}&cursor=${cursor}`)
    const heard = (body as { channel: string; message?: { text?: string } }[])
      .filter(({ channel }) => channel === 'room')
      .flatMap(({ message }) => message?.text ?? [])
    expect(heard).toEqual(['for both'])
    const [first] = await next.backend.call<{ uuid: string }[]>('POST /message', [
      { user: 'backend', channel: 'long', message: { text: 'four' } },
    ])
    await next.backend.call('DELETE /message', [{ uuid: first?.uuid, channel: 'long' }])
    const long = await next.backend.send('POST /history', { json: { channel: 'long' } })
    const texts = (long.body as { history: { message: { text: string } }[] }).history
    expect(texts.map(({ message }) => message.text)).toEqual(['one', 'two', 'three'])
    await stop(next.server)
  })
})

/** The last activity of a channel is now. Redis lists members in any order. */
function withoutTimes(info: unknown): unknown {
  const { users, channels } = JSON.parse(
    JSON.stringify(info, (key, value: unknown) => (key === 'last_active' ? 0 : value)),
  ) as { users: { user: string }[]; channels: unknown }
  return { channels, users: users.sort((one, other) => (one.user < other.user ? -1 : 1)) }
}

describe('export', () => {
  it.each([
    ['a directory', onDisk, /data_dir: \S+ is in use by process \d+/],
    ['Redis', inRedis, /A server uses \{test-.*\} in Redis\. Stop all of its servers/],
  ])('refuses %s that a server uses', async (_name, make, reason) => {
    const store = make()
    const { server } = await start(store)
    const { code, stdout, stderr } = await run(store, 'export')
    expect(stderr).toMatch(reason)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    await stop(server)
  })

  it('changes nothing in a directory, also after a kill', async () => {
    const store = onDisk()
    const { server, backend } = await start(store)
    await backend.connect('ann', ['room'])
    server.signal('SIGKILL')
    await server.ended()
    const files = () =>
      readdirSync(String(store['data_dir'])).filter((name) => !name.startsWith('lock'))
    const before = files()
    await exported(store)
    expect(files()).toEqual(before)
    expect((await run(store, 'export')).stdout).toContain('"name":"room"')
  })

  it('says what it needs without a store, and without data', async () => {
    const nothing = await run({}, 'export')
    expect(nothing.stderr).toMatch(/^Name the store with --data-dir or --redis-url\./)
    expect(nothing.code).toBe(1)
    const missing = await run({ data_dir: '/nowhere/at/all' }, 'export')
    expect(missing.stderr).toBe('There is no directory /nowhere/at/all\n')
    const empty = await run(inRedis(), 'export')
    expect(empty.stderr).toMatch(/Redis has no data of an installation named test-/)
  })

  it('fails when its output cannot be written', async () => {
    const store = onDisk()
    await filled(store)
    const { code, stderr } = await run(store, 'export > /dev/full')
    expect(code).toBe(1)
    expect(stderr).toMatch(/ENOSPC/)
    expect(stderr).not.toMatch(/Exported/)
  })
})

describe('import', () => {
  it.each([
    ['a directory', onDisk, /has data already/],
    ['Redis', inRedis, /has data of test-\S+ already/],
  ])('refuses %s with data, and changes nothing', async (_name, make, reason) => {
    const [from, to] = [onDisk(), make()]
    await filled(from)
    await filled(to)
    const before = await run(to, 'export')
    const { code, stderr } = await run(to, 'import < "$FILE"', await exported(from))
    expect(stderr).toMatch(reason)
    expect(code).toBe(1)
    const after = await run(to, 'export')
    const content = (text: string) => text.replace(/"taken_at":\d+/, '')
    expect(content(after.stdout)).toBe(content(before.stdout))
  })

  const BROKEN: readonly [string, (lines: string[]) => string[], RegExp][] = [
    ['nothing', () => [], /This is not a snapshot/],
    ['another file', () => ['{"a":1}'], /Line 1 of the snapshot is not a record/],
    ['no JSON', (lines) => [...lines.slice(0, 2), 'hello'], /Line 3 of the snapshot is not JSON/],
    ['no end', (lines) => lines.slice(0, -1), /The snapshot is cut off/],
    ['a missing line', (lines) => lines.toSpliced(-2, 1), /not whole: it had \d+ records, and has/],
    [
      'half a line',
      (lines) => [...lines.slice(0, 2), lines[2]?.slice(0, 30) ?? ''],
      /Line 3 of the snapshot is not JSON/,
    ],
    [
      'an unknown channel',
      (lines) => lines.filter((line) => !line.includes('"type":"channel"')),
      /names "room", which is unknown/,
    ],
    [
      'a channel twice',
      (lines) => lines.flatMap((line) => (line.includes('"type":"channel"') ? [line, line] : line)),
      /Line \d+ of the snapshot has "room" a second time/,
    ],
    [
      'a newer format',
      ([, ...lines]) => [
        '{"type":"snapshot","format":2,"version":"9.0.0","taken_at":1,"epoch":"abc","head":1,"forgotten_through":0,"messages":0,"deliveries":0,"newest_webhook":0}',
        ...lines,
      ],
      /Channelstream 9\.0\.0, in format 2\. This version reads formats up to 1/,
    ],
    ['two snapshots', (lines) => [...lines, ...lines], /goes on after its end/],
    [
      'a name for terminals',
      (lines) =>
        lines.toSpliced(1, 0, '{"type":"published_key","key":"a","time_left":1,"\\u001b[2J":1}'),
      /Line 2 of the snapshot is not a record.*\\u001b\[2J/,
    ],
  ]

  it.each(['a directory', 'Redis'])('keeps nothing in %s of what is not whole', async (name) => {
    const from = onDisk()
    await filled(from)
    const { stdout } = await run(from, 'export')
    const lines = stdout.trimEnd().split('\n')
    const to = name === 'Redis' ? inRedis() : onDisk()
    const file = join(aDirectory(), 'broken.jsonl')
    for (const [what, spoil, reason] of BROKEN) {
      writeFileSync(file, spoil(lines).join('\n'))
      const { code, stderr, stdout: said } = await run(to, 'import < "$FILE"', file)
      expect(stderr, what).toMatch(reason)
      expect({ code, said }, what).toEqual({ code: 1, said: '' })
    }
    // It can be done again, with a good one.
    await moved(from, to)
    const { server, backend } = await start(to)
    expect((await backend.info()).channels['room']?.total_users).toBe(1)
    await stop(server)
  })

  it('that is killed leaves a directory from which no server starts, and can be repeated', async () => {
    const from = onDisk()
    await filled(from)
    const file = await exported(from)
    const to = onDisk()
    const command = ['/bin/sh', '-c', 'cat "$FILE" - | exec "$0" "$MAIN" import', process.execPath]
    const env = { MAIN, FILE: file }
    // The snapshot does not end: the cat waits for more.
    const importing = ServerProcess.spawned({
      command: command as [string, ...string[]],
      ...{ settings: to, env, hasInput: true },
    })
    const files = () => readdirSync(String(to['data_dir']))
    await until(() => files().includes('state-00000001.new'), 'the import to begin')
    // The process of the import is a child of the shell.
    const pid = await childOf(importing.pid)
    process.kill(pid, 'SIGKILL')
    importing.endInput()
    await importing.ended()
    const server = await ServerProcess.run({ args: ['--port', '0'], settings: to })
    expect(server.exit.code).toBe(1)
    expect(server.stderr).toMatch(/the import into \S+ was broken off\. Import again/)
    expect((await run(to, 'import < "$FILE"', file)).code).toBe(0)
    const { server: again, backend } = await start(to)
    expect((await backend.info()).channels['room']?.total_users).toBe(1)
    await stop(again)
  })

  it('by an administrator leaves everything to whom the directory belongs', async (context) => {
    if (process.getuid?.() !== 0) return context.skip('only root can give files to others')
    const from = onDisk()
    await filled(from)
    const to = onDisk()
    chownSync(String(to['data_dir']), 65534, 65534)
    await moved(from, to)
    const owners = readdirSync(String(to['data_dir'])).map((name) => [
      name,
      statSync(join(String(to['data_dir']), name)).uid,
    ])
    expect(
      owners.every(([, uid]) => uid === 65534),
      String(owners),
    ).toBe(true)
  })
})

/** Returns the process that runs the program with this snapshot, below a shell. */
async function childOf(parent: number): Promise<number> {
  let found: number | undefined
  await until(() => {
    const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'latin1')
    found = children
      .trim()
      .split(' ')
      .map(Number)
      .find((pid) => pid > 0 && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('import'))
    return found !== undefined
  }, 'the program to run')
  return found as number
}
