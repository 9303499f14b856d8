/** Files that were changed by something else than the server. */
import {
  cpSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { DataDirError } from '../../src/store/disk/data-dir-error.ts'
import { channelName, connect, message, settingsMap, textsOf } from '../contract/fixtures.ts'
import { freshDirectory, openDiskStore } from '../helpers/disk-store.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { rewriteHead } from '../helpers/rewrite-head.ts'
import type { DiskStore } from '../../src/store/disk/store.ts'

afterAll(killProcesses)

const ROOM = channelName('room')

async function fill(store: DiskStore, from: number, count: number): Promise<void> {
  await store.configure(settingsMap({ room: { store_history: true, history_size: 1000 } }))
  for (let number = from; number < from + count; number++)
    await store.publish([message('room', { text: String(number) })])
}

const textsIn = async (store: DiskStore): Promise<unknown[]> =>
  textsOf((await store.channels([ROOM], { users: false, history: true }))[0]?.history ?? [])

const countedTo = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => String(index))

/** A directory with a state and two logs. `isKilled`: the last log has no end. */
async function aDirectory({ isKilled = false } = {}): Promise<string> {
  const directory = freshDirectory()
  const first = await openDiskStore({ directory })
  await connect(first, 'ann', { channels: ['room'] })
  await fill(first, 0, 10)
  await first.compact()
  await fill(first, 10, 10)
  await first.stop()
  const second = await openDiskStore({ directory })
  await fill(second, 20, 10)
  if (!isKilled) {
    await second.stop()
    return directory
  }
  const copy = freshDirectory()
  cpSync(directory, copy, { recursive: true, filter: (path) => !path.endsWith('lock') })
  await second.stop()
  return copy
}

const filesIn = (directory: string): string[] =>
  readdirSync(directory).filter((name) => /^(log|state)-\d+$/.test(name))

/** Opens and stops it. Returns the texts of the history, or the error. */
async function opened(directory: string, notes: string[] = []): Promise<unknown> {
  try {
    const store = await openDiskStore({ directory, onNote: (note) => void notes.push(note) })
    const texts = await textsIn(store)
    await store.stop()
    return texts
  } catch (error) {
    return error
  }
}

describe('damaged data', () => {
  it(
    'is noticed at each byte of each file, and no file is changed',
    { timeout: 120_000 },
    async () => {
      const directory = await aDirectory()
      expect(filesIn(directory)).toEqual(['log-00000002', 'log-00000003', 'state-00000002'])
      for (const name of filesIn(directory)) {
        const path = join(directory, name)
        const good = readFileSync(path)
        // Without its end, the last log is that of a server that was killed.
        const end = name === 'log-00000003' ? good.lastIndexOf('\n#') + 1 : good.length
        for (let at = 0; at < end; at += 1 + Math.floor(Math.random() * 60)) {
          const bad = Buffer.from(good)
          bad[at] = (bad[at] ?? 0) ^ (1 << Math.floor(Math.random() * 8))
          writeFileSync(path, bad)
          const result = await opened(directory)
          expect(result, `${name} at ${at}`).toBeInstanceOf(DataDirError)
          expect((result as Error).message).toContain(path)
          expect(readFileSync(path).equals(bad)).toBe(true)
        }
        writeFileSync(path, good)
      }
      expect(await opened(directory)).toEqual(countedTo(30))
    },
  )

  it('is noticed wherever a state or an older log is cut', { timeout: 60_000 }, async () => {
    const directory = await aDirectory()
    for (const name of ['log-00000002', 'state-00000002']) {
      const path = join(directory, name)
      const good = readFileSync(path)
      for (let length = 0; length < good.length; length += 1 + Math.floor(Math.random() * 100)) {
        truncateSync(path, length)
        expect(await opened(directory), `${name} at ${length}`).toBeInstanceOf(DataDirError)
        writeFileSync(path, good)
      }
    }
    expect(await opened(directory)).toEqual(countedTo(30))
  })

  it('is noticed if a file is missing', async () => {
    const directory = await aDirectory()
    for (const name of ['log-00000002', 'state-00000002']) {
      const path = join(directory, name)
      const good = readFileSync(path)
      rmSync(path)
      const result = await opened(directory)
      expect(result, name).toBeInstanceOf(DataDirError)
      expect((result as Error).message).toMatch(/is missing\. Restore a backup/)
      writeFileSync(path, good)
    }
  })

  it('is foreign if it is a file of something else', async () => {
    const directory = freshDirectory()
    writeFileSync(join(directory, 'log-00000001'), 'a log of something else\n')
    const server = await ServerProcess.run({
      args: ['--port', '0'],
      settings: { data_dir: directory },
    })
    expect(server.exit.code).toBe(1)
    expect(server.stderr.trim()).toBe(
      `channelstream: data_dir: ${directory}/log-00000001 is not a data file of Channelstream, or its ` +
        'beginning is damaged. Use another directory, or move the file away',
    )
    await server.kill()
  })

  it('is refused if a newer version has written it', async () => {
    const directory = freshDirectory()
    const head = JSON.stringify({ format: 2, version: '9.0.0', epoch: 'e', boot: '', sync: 'off' })
    writeFileSync(join(directory, 'log-00000001'), `#00000000 ${head.length} h\n${head}\n`)
    expect(String(await opened(directory))).toContain(
      'was written by version 9.0.0, in the newer format 2. This version reads formats up to 1. ' +
        'Start that version again, or use another directory',
    )
  })
})

describe('a commit that was being written when the process was killed', () => {
  it('is removed, wherever it was cut', { timeout: 60_000 }, async () => {
    const directory = await aDirectory({ isKilled: true })
    const path = join(directory, 'log-00000003')
    const good = readFileSync(path)
    const lastFrame = good.lastIndexOf('\n#') + 1
    for (let length = lastFrame; length < good.length; length += 7) {
      const copy = freshDirectory()
      cpSync(directory, copy, { recursive: true })
      truncateSync(join(copy, 'log-00000003'), length)
      const notes: string[] = []
      expect(await opened(copy, notes), `cut at ${length}`).toEqual(countedTo(29))
      expect(notes).toHaveLength(length === lastFrame ? 0 : 1)
      // Once more: the end of the log is known now.
      expect(await opened(copy)).toEqual(countedTo(29))
    }
  })

  it('leaves nothing behind if it was the creation of a log', async () => {
    const directory = await aDirectory()
    for (const start of ['', '#', '#a6790e59 117 h', '#a6790e59 117 h\n{"format":1,"ver']) {
      writeFileSync(join(directory, 'log-00000004'), start)
      expect(await opened(directory), start).toEqual(countedTo(30))
      // That start has created it.
      expect(statSync(join(directory, 'log-00000004')).size).toBeGreaterThan(100)
      rmSync(join(directory, 'log-00000004'))
    }
  })

  it('leaves nothing behind if it was a state', async () => {
    const directory = await aDirectory()
    writeFileSync(join(directory, 'state-00000004.new'), 'half of a st')
    expect(await opened(directory)).toEqual(countedTo(30))
    expect(readdirSync(directory)).not.toContain('state-00000004.new')
  })
})

describe('a machine that was switched off', () => {
  /** As if the last log had been written before the machine was started. */
  async function switchedOff(sync: 'commit' | 'interval', lost: string): Promise<string> {
    const directory = freshDirectory()
    const store = await openDiskStore({ directory, sync })
    await fill(store, 0, 3)
    const copy = freshDirectory()
    cpSync(directory, copy, { recursive: true, filter: (path) => !path.endsWith('lock') })
    await store.stop()
    const path = join(copy, 'log-00000001')
    // Only the head names the machine. Its frame is made anew, and so are those that follow.
    rewriteHead(path, { boot: 'another one' })
    writeFileSync(path, lost, { flag: 'a' })
    return copy
  }
  const openedAgain = async (directory: string) => {
    const notes: string[] = []
    const store = await openDiskStore({ directory, onNote: (note) => void notes.push(note) })
    onTestFinished(() => store.stop())
    return { store, notes }
  }

  it('may have lost changes that were not synced: all who come back get a gap', async () => {
    const { store, notes } = await openedAgain(await switchedOff('interval', '\0'.repeat(5000)))
    expect(await textsIn(store)).toEqual(countedTo(3))
    expect(notes.join()).toContain('the last changes may be lost')
    const topic = 'c:room' as Parameters<DiskStore['listen']>[0]
    const { gaps } = await store.missed([{ topic, after: 3 }])
    expect(gaps).toEqual([topic])
  })

  it('is like a copy that was restored', async () => {
    const directory = await aDirectory()
    writeFileSync(join(directory, 'restored'), '')
    const { store, notes } = await openedAgain(directory)
    expect(await textsIn(store)).toEqual(countedTo(30))
    expect(notes.join()).toContain('the last changes may be lost')
    expect(readdirSync(directory)).not.toContain('restored')
  })

  it('has lost nothing that was answered with data_sync = commit', async () => {
    const { store, notes } = await openedAgain(await switchedOff('commit', '\0'.repeat(5000)))
    expect(await textsIn(store)).toEqual(countedTo(3))
    expect(notes.join()).not.toContain('may be lost')
    const topic = 'c:room' as Parameters<DiskStore['listen']>[0]
    expect((await store.missed([{ topic, after: 3 }])).gaps).toEqual([])
  })
})
