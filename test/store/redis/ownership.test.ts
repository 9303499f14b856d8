import { describe, expect, it } from 'vitest'
import { Ownership } from '../../../src/store/redis/ownership.ts'
import { StoreUnavailable } from '../../../src/store/store.ts'
import { connIdOf } from '../../contract/fixtures.ts'
import type { Connection } from '../../../src/store/redis/connection.ts'
import type { ScriptRunner } from '../../../src/store/redis/script-runner.ts'

type Asked = readonly (string | number)[]

const ORPHAN_WAIT_MS = 9000
const CONNECTION = {} as Connection
const [ANN, BOB] = [connIdOf(1), connIdOf(2)]
const attachedReply = (attachmentNumber: number) => [
  'attached',
  'ann',
  '7',
  1,
  [],
  attachmentNumber,
]

/** Ownership with a fake Redis, which gives set replies or is unavailable. */
function open() {
  const asked: Asked[] = []
  const at = { isAway: false, onRunOn: () => {}, answer: [] as unknown }
  const run = (...args: Asked): Promise<unknown> => {
    if (at.isAway) return Promise.reject(new StoreUnavailable())
    asked.push(args)
    return Promise.resolve(at.answer)
  }
  const runOn = (_connection: Connection, ...args: Asked): Promise<unknown> => {
    asked.push(args)
    at.onRunOn()
    return Promise.resolve([])
  }
  const runner = { run, runOn } as unknown as ScriptRunner
  const ownership = new Ownership(
    runner,
    ORPHAN_WAIT_MS,
    () => {},
    () => {},
  )
  const attach = async (attachmentNumber: number) => {
    at.answer = attachedReply(attachmentNumber)
    await ownership.attach(ANN, 'stream')
  }
  const detached = () => asked.filter(([script]) => script === 'detach')
  return { at, ownership, attach, detached }
}

describe('what a server owes Redis', () => {
  it('is told when Redis is back, with the attachment that it is about', async () => {
    const { at, ownership, attach, detached } = open()
    await attach(41)
    at.isAway = true
    await ownership.detach(ANN, 12, 500)
    await ownership.settle(CONNECTION)
    expect(detached()).toEqual([['detach', 1, ANN, 41, 12, 500]])
    at.isAway = false
    await ownership.resume()
    expect(detached().at(-1)).toEqual(['detach', 1, ANN, 41, 12, 500])
    expect(detached()).toHaveLength(1)
  })

  it('because a client went while everything was being found out is told then', async () => {
    const { at, ownership, attach, detached } = open()
    await attach(41)
    at.isAway = true
    at.onRunOn = () => void ownership.detach(ANN, 12, 0)
    await ownership.settle(CONNECTION)
    await Promise.resolve()
    expect(detached()).toEqual([])
    at.isAway = false
    await ownership.resume()
    expect(detached()).toEqual([['detach', 1, ANN, 41, 12, 0]])
  })

  it('stays owed if Redis is away again', async () => {
    const { at, ownership, attach, detached } = open()
    await attach(41)
    at.isAway = true
    await ownership.detach(ANN, 12, 0)
    await ownership.resume()
    at.isAway = false
    await ownership.resume()
    expect(detached()).toHaveLength(1)
  })

  it('keeps where a client was that could not come back, and lets it wait as one that may', async () => {
    const { at, ownership, attach, detached } = open()
    await attach(41)
    at.isAway = true
    await ownership.detach(ANN, 12, 0)
    await expect(ownership.attach(ANN, 'stream')).rejects.toThrow(StoreUnavailable)
    await expect(ownership.attach(BOB, 'stream')).rejects.toThrow(StoreUnavailable)
    await ownership.settle(CONNECTION)
    const [ann, bob] = [
      [ANN, 41, 12, ORPHAN_WAIT_MS],
      [BOB, 0, -1, ORPHAN_WAIT_MS],
    ] as const
    expect(detached()).toEqual([['detach', 2, ...ann, ...bob]])
  })

  it('is not told of who is coming back at this moment', async () => {
    const { at, ownership, attach, detached } = open()
    await attach(41)
    at.isAway = true
    await ownership.detach(ANN, 12, 500)
    at.isAway = false
    const coming = attach(42)
    await ownership.resume()
    await coming
    await ownership.resume()
    expect(detached()).toEqual([])
  })
})
