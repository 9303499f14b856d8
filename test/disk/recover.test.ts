/** `channelstream recover-data`: what is left of damaged data can be used. */
import { appendFileSync, cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { DataDirError } from '../../src/store/disk/data-dir-error.ts'
import { recoverDirectory } from '../../src/store/disk/recover.ts'
import { channelName, connect, message, settingsMap, textsOf } from '../contract/fixtures.ts'
import { freshDirectory, openDiskStore } from '../helpers/disk-store.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { rewriteHead } from '../helpers/rewrite-head.ts'
import type { DiskStore } from '../../src/store/disk/store.ts'

afterAll(killProcesses)

const STATE = 'state-00000002'
const LOGS = ['log-00000002', 'log-00000003', 'log-00000004'] as const

const say = (store: DiskStore, from: number): Promise<unknown> =>
  Promise.all(
    Array.from({ length: 10 }, async (_, index) =>
      store.publish([message('room', { text: String(from + index) })]),
    ),
  )

/** A directory with ten messages in a state and ten in each of three logs. */
async function aDirectory(): Promise<string> {
  const directory = freshDirectory()
  const first = await openDiskStore({ directory })
  await first.configure(settingsMap({ room: { store_history: true, history_size: 100 } }))
  await connect(first, 'ann', { channels: ['room'] })
  await say(first, 0)
  await first.compact()
  for (const from of [10, 20, 30]) {
    const store = from === 10 ? first : await openDiskStore({ directory })
    for (let number = from; number < from + 10; number++)
      await store.publish([message('room', { text: String(number) })])
    await store.stop()
  }
  expect(readdirSync(directory).sort()).toEqual([...LOGS, STATE])
  return directory
}

const contentsOf = (directory: string): Map<string, string> =>
  new Map(
    readdirSync(directory)
      .filter((name) => name !== 'lock')
      .map((name) => [name, readFileSync(join(directory, name), 'latin1')]),
  )

/** Starts with it. Returns the messages, the epoch, and the notes for operators. */
async function started(directory: string) {
  const notes: string[] = []
  const store = await openDiskStore({ directory, onNote: (note) => void notes.push(note) })
  const [room] = await store.channels([channelName('room')], { users: true, history: true })
  const { epoch } = store
  await store.publish([message('room', { text: 'since' })])
  await store.stop()
  return { texts: textsOf(room?.history ?? []), users: room?.users, epoch, notes: notes.join() }
}

const countedTo = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => String(index))

const flip = (path: string, at: number): void => {
  const bytes = readFileSync(path)
  bytes[at] = (bytes[at] as number) ^ 4
  writeFileSync(path, bytes)
}

describe('data that is damaged', { timeout: 120_000 }, () => {
  it.each(LOGS.map((name, index) => [name, index] as const))(
    'anywhere in %s goes on from before the damage',
    async (name, index) => {
      const whole = await aDirectory()
      const { epoch } = await started(copyOf(whole))
      const length = readFileSync(join(whole, name)).length
      const lengths: number[] = []
      for (let at = 0; at < length - 20; at += 1 + Math.floor(Math.random() * 250)) {
        const directory = copyOf(whole)
        flip(join(directory, name), at)
        const before = contentsOf(directory)
        const said = await recoverDirectory(directory)
        expect(said.join('\n')).toMatch(/^Recovered what there was before the damage.*\nSet aside/)
        // Every byte that was there is still there.
        for (const lost of LOGS.slice(index))
          expect([...contentsOf(directory).values()]).toContain(before.get(lost))
        expect(await recoverDirectory(directory)).toEqual([
          'Nothing is damaged, and nothing was changed.',
        ])
        const { texts, users, ...now } = await started(directory)
        expect(texts, `${name} at ${at}`).toEqual(countedTo(texts.length))
        expect(texts.length).toBeGreaterThanOrEqual(10 + index * 10)
        expect(texts.length).toBeLessThanOrEqual(20 + index * 10)
        expect(users).toEqual(['ann'])
        expect(now.epoch).not.toBe(epoch)
        expect(now.notes).toContain('Clients that come back get a gap')
        expect((await started(directory)).texts).toEqual([...texts, 'since'])
        lengths.push(texts.length)
      }
      // The later the damage, the more is left.
      expect(lengths).toEqual([...lengths].sort((one, other) => one - other))
      expect(new Set(lengths).size).toBeGreaterThan(1)
    },
  )

  it.each([
    [LOGS[0], 10],
    [LOGS[1], 20],
  ])('because %s is missing goes on from before it', async (name, count) => {
    const directory = await aDirectory()
    rmSync(join(directory, name))
    await expect(openDiskStore({ directory })).rejects.toThrow(`${name} is missing`)
    await recoverDirectory(directory)
    expect((await started(directory)).texts).toEqual(countedTo(count))
  })

  it('again keeps what was set aside before, and marks the directory first of all', async () => {
    const directory = await aDirectory()
    flip(join(directory, LOGS[1]), 600)
    const first = contentsOf(directory)
    await recoverDirectory(directory)
    expect(readdirSync(directory)).toContain('restored')
    await started(directory)
    flip(join(directory, LOGS[2]), 600)
    const second = contentsOf(directory)
    await recoverDirectory(directory)
    const kept = [...contentsOf(directory).values()]
    for (const text of [first.get(LOGS[1]), first.get(LOGS[2]), second.get(LOGS[2])])
      expect(kept).toContain(text)
  })

  it('in its state cannot be recovered, and nothing is changed', async () => {
    const directory = await aDirectory()
    flip(join(directory, STATE), 500)
    const before = contentsOf(directory)
    await expect(recoverDirectory(directory)).rejects.toThrow('This cannot be recovered')
    expect(contentsOf(directory)).toEqual(before)
  })
})

describe('data that is not damaged', () => {
  it.each<[string, (directory: string) => void]>([
    ['is whole', () => {}],
    ['ends with a part of a change', (directory) => cutShort(directory)],
  ])('is left alone if it %s', async (_, change) => {
    const directory = await aDirectory()
    change(directory)
    const before = contentsOf(directory)
    expect(await recoverDirectory(directory)).toEqual([
      'Nothing is damaged, and nothing was changed.',
    ])
    expect(contentsOf(directory)).toEqual(before)
  })

  it.each([
    ['the newest log', LOGS[2]],
    ['an older log', LOGS[0]],
    ['the state', STATE],
  ])('of a newer version is left alone (%s)', async (_, name) => {
    const directory = await aDirectory()
    rewriteHead(join(directory, name), { format: 99 })
    const before = contentsOf(directory)
    await expect(recoverDirectory(directory)).rejects.toThrow('in the newer format 99')
    expect(contentsOf(directory)).toEqual(before)
  })

  it('is left alone while a server uses it', async () => {
    const directory = freshDirectory()
    const store = await openDiskStore({ directory })
    await expect(recoverDirectory(directory)).rejects.toThrow(`process ${process.pid} on`)
    await store.stop()
  })

  it('of something else is left alone', async () => {
    const directory = freshDirectory()
    writeFileSync(join(directory, 'log-00000001'), 'a log of another program\n'.repeat(500))
    const before = contentsOf(directory)
    await expect(recoverDirectory(directory)).rejects.toThrow(DataDirError)
    expect(contentsOf(directory)).toEqual(before)
  })
})

describe('channelstream recover-data', () => {
  const run = (...args: string[]) => ServerProcess.run({ args: ['recover-data', ...args] })

  it('says what it did, and the server starts', { timeout: 60_000 }, async () => {
    const directory = await aDirectory()
    flip(join(directory, LOGS[1]), 600)
    const settings = { data_dir: directory }
    const refused = await ServerProcess.run({ settings, args: ['--port', '0'] })
    expect(refused.exit.code).toBe(1)
    expect(refused.stderr).toContain('channelstream recover-data')
    const recovered = await run(directory)
    expect(recovered.exit).toEqual({ code: 0, signal: null })
    expect(recovered.stdout).toContain(`${LOGS[1]}.damaged`)
    await (await ServerProcess.start({ settings })).kill()
  })

  it.each([
    [[], 'Usage: channelstream recover-data DIRECTORY'],
    [['a', 'b'], 'Usage: channelstream recover-data DIRECTORY'],
    [['/nowhere/at-all'], 'There is no directory /nowhere/at-all'],
  ])('refuses wrong arguments: %j', async (args, sentence) => {
    const { exit, stderr } = await run(...args)
    expect(exit.code).toBe(1)
    expect(stderr).toContain(sentence)
  })
})

function copyOf(directory: string): string {
  const copy = freshDirectory()
  cpSync(directory, copy, { recursive: true })
  return copy
}

/** As a killed process leaves it. */
function cutShort(directory: string): void {
  const path = join(directory, LOGS[2])
  const text = readFileSync(path, 'latin1')
  writeFileSync(path, text.slice(0, text.lastIndexOf('\n#') + 1), 'latin1')
  appendFileSync(path, '#0123')
}
