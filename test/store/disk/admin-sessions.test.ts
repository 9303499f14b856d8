import { expect, it } from 'vitest'
import { DiskAdminSessions } from '../../../src/store/disk/admin-sessions.ts'
import { StoreTime } from '../../../src/store/disk/store-time.ts'
import { MemoryAdminSessions } from '../../../src/store/memory/admin-sessions.ts'
import { StoreUnavailable } from '../../../src/store/store.ts'
import { ManualClock } from '../../helpers/clock.ts'
import type { Line } from '../../../src/store/disk/lines.ts'

it('a sign-out that the disk refuses holds at once, and is written as soon as it can be', async () => {
  const clock = new ManualClock()
  const limits = { lifetimeMs: 100_000, maxSessions: 10 }
  const noted: Line[] = []
  const sessions = new DiskAdminSessions({
    ...{ memory: new MemoryAdminSessions(clock, limits), time: new StoreTime(clock, 0) },
    lifetimeMs: limits.lifetimeMs,
    write: () => {},
    note: (line) => void noted.push(line),
    committed: () => Promise.reject(new StoreUnavailable()),
  })
  for (const name of ['one', 'two']) await sessions.open(name)
  await expect(sessions.end(['one', 'two'])).rejects.toThrow(StoreUnavailable)
  expect(sessions.isAnyOpen(['one', 'two'])).toBe(false)
  expect(noted).toEqual([
    ['-s', 'one'],
    ['-s', 'two'],
  ])
})
