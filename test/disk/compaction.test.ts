import { mkdirSync, readdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  channelName,
  connIdOf,
  connect,
  message,
  settingsMap,
  textsOf,
} from '../contract/fixtures.ts'
import { freshDirectory, openDiskStore } from '../helpers/disk-store.ts'
import type { DiskStore } from '../../src/store/disk/store.ts'

const HISTORY = 50
const MIN_LOG_BYTES = 5000

const textsIn = async (store: DiskStore): Promise<unknown[]> => {
  const include = { users: false, history: true }
  return textsOf((await store.channels([channelName('room')], include))[0]?.history ?? [])
}

/** Warnings of Node about files that nobody closed. */
function watchWarnings(): string[] {
  const warnings: string[] = []
  const note = ({ message: text }: Error): void => void warnings.push(text)
  process.on('warning', note)
  onTestFinished(() => void process.off('warning', note))
  return warnings
}

describe.each([
  ['off', 2000],
  ['interval', 2000],
  ['commit', 400],
] as const)('a log that becomes long, with data_sync = %s', (sync, count) => {
  it('is replaced while changes go on, and nothing is lost', async () => {
    const warnings = watchWarnings()
    const directory = freshDirectory()
    const store = await openDiskStore({ directory, sync, minLogBytes: MIN_LOG_BYTES })
    await store.configure(settingsMap({ room: { store_history: true, history_size: HISTORY } }))
    for (let number = 0; number < count; number += 4) {
      const texts = [0, 1, 2, 3].map((more) => `${number + more}`)
      await Promise.all([
        ...texts.map((text) => store.publish([message('room', { text })])),
        connect(store, `user ${number % 20}`, { id: number % 20, channels: ['room'] }),
        store.leave(connIdOf(number % 20), [channelName('room')]),
      ])
    }
    const expected = Array.from({ length: HISTORY }, (_, index) => `${count - HISTORY + index}`)
    expect(await textsIn(store)).toEqual(expected)
    await store.stop()
    // Replaced several times, and removed.
    const numbers = readdirSync(directory).flatMap((name) => /^log-(\d+)$/.exec(name)?.[1] ?? [])
    expect(Number(numbers.at(-1))).toBeGreaterThan(3)
    expect(numbers.length).toBeLessThanOrEqual(2)

    const again = await openDiskStore({ directory })
    expect(await textsIn(again)).toEqual(expected)
    await again.stop()
    expect(warnings).toEqual([])
  })
})

it('that cannot open its files is given up, and changes go on', async () => {
  const directory = freshDirectory()
  const store = await openDiskStore({ directory })
  await store.configure(settingsMap({ room: { store_history: true, history_size: HISTORY } }))
  await store.publish([message('room', { text: 'before' })])
  // As if the process had no file descriptors left.
  mkdirSync(join(directory, 'log-00000002'))
  await expect(store.compact()).rejects.toThrow('EISDIR')
  await store.publish([message('room', { text: 'after' })])
  rmdirSync(join(directory, 'log-00000002'))
  await store.compact()
  await store.publish([message('room', { text: 'later' })])
  await store.stop()
  const again = await openDiskStore({ directory })
  expect(await textsIn(again)).toEqual(['before', 'after', 'later'])
  await again.stop()
})
