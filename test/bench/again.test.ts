import { describe, expect, it } from 'vitest'

interface Run {
  readonly cores: number
  readonly outcomes: readonly object[]
}

const part = (name: string): Promise<unknown> =>
  import(new URL(`../../bench/lib/${name}`, import.meta.url).href)
const { inPlaceOf } = (await part('again.mjs')) as {
  inPlaceOf: (earlier: object, later: object) => Run
}
const { remarksOn } = (await part('report.mjs')) as {
  remarksOn: (outcomes: readonly object[]) => string[]
}

const outcome = (id: string, found: number) => ({ id, found, peers: {} })

describe('scenarios that are measured again', () => {
  const earlier = { cores: 2, outcomes: [outcome('a', 1), outcome('b', 1)], goals: [] }
  const merged = inPlaceOf(earlier, { outcomes: [outcome('b', 2)] })

  it('take the place of the same ones of the earlier run, and no other', () => {
    expect(merged.cores).toBe(2)
    expect(merged.outcomes).toMatchObject([outcome('a', 1), outcome('b', 2)])
  })

  it('are refused if the earlier run did not have them', () => {
    expect(() => inPlaceOf(earlier, { outcomes: [outcome('c', 2)] })).toThrow('no scenario c')
  })

  it('are named below the table', () => {
    expect(remarksOn(earlier.outcomes)).toEqual([])
    expect(remarksOn(merged.outcomes)).toEqual([expect.stringMatching(/measured again.*: b$/)])
  })
})
