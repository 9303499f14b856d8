/** A store on disk for the tests of the hub. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DiskStore } from '../../src/store/disk/store.ts'
import { ROOMY_ANSWERS } from '../helpers/disk-store.ts'
import { storeLimits } from './hub-driver.ts'
import type { DiskOptions } from '../../src/store/disk/options.ts'
import type { HubDriverOptions } from './hub-driver.ts'
import type { QuietClock } from './quiet.ts'

/** Runs `work` with a new directory. */
export async function withDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'channelstream-data-'))
  try {
    await work(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function fail(fault: unknown): never {
  throw new Error('the store had a fault', { cause: fault })
}

const WEBHOOKS: DiskOptions['webhooks'] = {
  events: ['message', 'joined', 'user_online', 'channel_created', 'channel_collected'],
  channels: [],
  maxEvents: 20,
  maxBytes: 1_000_000,
}

export const openIn = (
  directory: string,
  options: HubDriverOptions,
  clock: QuietClock,
): Promise<DiskStore> =>
  DiskStore.open({
    ...storeLimits(options),
    ...{ directory, clock, sync: 'off', webhooks: WEBHOOKS, idempotency: ROOMY_ANSWERS },
    ...{ streamWaitMs: options.resumeWindowMs, pollWaitMs: options.gcConnsMs },
    ...{ onAway: fail, onBack: () => {}, onFault: fail, onNote: fail },
  })
