/** The order of frames, and what those learn who wait for one that cannot be written. */
import { describe, expect, it } from 'vitest'
import { ChangeSet } from '../../../src/store/disk/change-set.ts'
import { Committer } from '../../../src/store/disk/committer.ts'
import { until } from '../../helpers/http.ts'
import type { DataFile } from '../../../src/store/disk/data-file.ts'
import type { Payload } from '../../../src/store/disk/lines.ts'
import type { RecordLines } from '../../../src/store/disk/record-lines.ts'

/** A file that keeps the kinds of its frames, and whose syncs the test ends. */
class FakeFile {
  readonly kinds: string[] = []
  readonly syncs: { resolve: () => void; reject: (error: unknown) => void }[] = []
  isClosed = false

  frame(kind: string): Buffer[] {
    return [Buffer.from(kind)]
  }

  frameOf({ isExact }: Payload): Buffer[] {
    return this.frame(isExact ? 'x' : '-')
  }

  writeNow(frame: readonly Buffer[]): boolean {
    if (this.isClosed) throw new Error('written after its end')
    this.kinds.push(String(frame[0]))
    return true
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => void this.syncs.push({ resolve, reject }))
  }

  close(): void {
    this.isClosed = true
  }

  /** Waits for a sync, and ends it. */
  async synced(error?: Error): Promise<void> {
    await until(() => this.syncs.length > 0, 'a sync')
    const sync = this.syncs.shift()
    if (error) sync?.reject(error)
    else sync?.resolve()
  }
}

const RECORDS = { facts: () => ['m', {}], tables: { log: { head: 0 } } } as unknown as RecordLines

function open(onCommit: (committer: Committer) => void = () => {}) {
  const file = new FakeFile()
  const faults: unknown[] = []
  const away: boolean[] = []
  const changes = new ChangeSet(() => committer.changed())
  const committer: Committer = new Committer(
    {
      ...{ changes, records: RECORDS, sync: 'commit' },
      onAway: (_error, isFinal) => void away.push(isFinal),
      onBack: () => {},
      onCommit: () => onCommit(committer),
      onFault: (fault) => void faults.push(fault),
    },
    file as unknown as DataFile,
  )
  /** Makes a change, and tells how its commit ended. */
  const change = (name: string): Promise<string> => {
    changes.line(['-s', name])
    const end = committer.pending() ?? Promise.resolve()
    return end.then(
      () => `${name} committed`,
      (error: Error) => `${name}: ${error.message}`,
    )
  }
  return { file, changes, committer, change, faults, away }
}

describe('a sync that fails', () => {
  it('is told to those whose change it had, and to those who wait for the next frame', async () => {
    const { file, committer, change, away } = open()
    const first = change('first')
    await until(() => file.syncs.length > 0, 'a sync')
    const others = [change('second'), change('third')]
    let isAnnounced = false
    committer.afterCommit(() => (isAnnounced = true))
    await file.synced(new Error('EIO'))
    expect(await Promise.all([first, ...others])).toEqual([
      'first: EIO',
      'second: EIO',
      'third: EIO',
    ])
    expect([isAnnounced, away]).toEqual([false, [true]])
    expect(committer.error).toMatchObject({ message: 'EIO' })
  })

  it('is final too if it was that of a compaction', async () => {
    const { file, committer, away } = open()
    const barrier = committer.barrier()
    await file.synced(new Error('EIO'))
    await expect(barrier).rejects.toThrow('EIO')
    expect(away).toEqual([true])
    expect(committer.error).toBeDefined()
  })
})

describe('the end of a file', () => {
  it('comes after everything that is to be in it, also what announcements change', async () => {
    const next = new FakeFile()
    let switched: Promise<void> | undefined
    const { file, changes, committer, change, faults } = open((self) => {
      switched ??= self.switchTo(() => Promise.resolve(next as unknown as DataFile))
    })
    const first = change('first')
    let second: Promise<string> | undefined
    committer.afterCommit(() => {
      second = change('second')
    })
    await file.synced() // the first change; the announcement makes another, and the file is to end
    await file.synced()
    await file.synced()
    await switched
    expect(await Promise.all([first, second])).toEqual(['first committed', 'second committed'])
    expect(file.kinds).toEqual(['-', '-', 'e'])
    expect([file.isClosed, changes.isEmpty, committer.file === (next as unknown)]).toEqual([
      ...[true, true, true],
    ])
    const third = change('third')
    await next.synced()
    expect(await third).toBe('third committed')
    expect(faults).toEqual([])
  })
})
