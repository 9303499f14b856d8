import { describe, expect, it } from 'vitest'
import { readOpenFiles } from '../../src/net/open-files.ts'
import { capacityOf } from '../../src/net/socket-limits.ts'

describe('the number of sockets', () => {
  it('is that of the setting where the limit of open files leaves room for them', () => {
    const capacity = { most: 500, answered: 16, reason: 'total' }
    expect(capacityOf(500, { limit: 1024, used: 20 })).toEqual(capacity)
    expect(capacityOf(500, undefined)).toEqual(capacity)
  })

  it.each([
    [0, 1024, 20],
    [1000, 1024, 20],
    [1_000_000, 65_536, 30],
    [0, 64, 19],
  ])('of %i at a limit of %i open files leaves files for other things', (wanted, limit, used) => {
    const { most, answered, reason } = capacityOf(wanted, { limit, used })
    expect(reason).toBe('open_files')
    expect(most + answered + used).toBeLessThanOrEqual(limit - Math.min(64, limit / 8))
    expect(most).toBeGreaterThan(limit / 4)
  })

  it('is never below one', () => {
    expect(capacityOf(0, { limit: 30, used: 40 }).most).toBe(1)
  })

  it('has no end without a setting where the system tells no limit', () => {
    expect(capacityOf(0, undefined).most).toBe(Infinity)
  })

  it('goes by what the system tells of this process', () => {
    const files = readOpenFiles()
    expect(files?.limit).toBeGreaterThan(files?.used ?? Infinity)
    expect(files?.used).toBeGreaterThan(3)
  })
})
