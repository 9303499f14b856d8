import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { DiskStore } from '../../src/store/disk/store.ts'
import { CONTRACT_OPTIONS } from '../contract/bench.ts'
import { ManualClock } from './clock.ts'
import type { DiskOptions } from '../../src/store/disk/options.ts'

/** Returns a new empty directory, which is removed when the test ends. */
export function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'channelstream-data-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

export const ROOMY_ANSWERS = { windowMs: 10_000, maxBytes: 1_000_000 }

/** Opens a store with `CONTRACT_OPTIONS`. It fails the test on a fault. */
export async function openDiskStore(options: Partial<DiskOptions> = {}): Promise<DiskStore> {
  const faults: unknown[] = []
  const note = (fault: unknown): void => void faults.push(fault)
  onTestFinished(() => {
    if (faults.length > 0) throw new Error('the store had a fault', { cause: faults[0] })
  })
  return DiskStore.open({
    ...CONTRACT_OPTIONS,
    clock: new ManualClock(),
    directory: options.directory ?? freshDirectory(),
    sync: 'off',
    streamWaitMs: 15_000,
    pollWaitMs: 15_000,
    idempotency: ROOMY_ANSWERS,
    onAway: note,
    onBack: () => {},
    onFault: note,
    onNote: note,
    ...options,
  })
}
