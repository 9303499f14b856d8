import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { INSTALL_TIMEOUT_MS, ensurePackages } from '../helpers/debian-packages.ts'
import { ensureCompiler } from './compiler.ts'

const RUN = fileURLToPath(new URL('../../bench/run.mjs', import.meta.url))
const RUN_TIMEOUT_MS = 120_000

type Figures = Readonly<Record<string, number>>
interface Column {
  readonly failed?: string
  readonly rounds: readonly Figures[]
  readonly summary: Readonly<Record<string, { median: number; spread: number }>>
}
interface Results {
  readonly machine: Readonly<Record<string, unknown>>
  readonly outcomes: readonly {
    readonly id: string
    readonly shows: readonly string[]
    readonly peers: Readonly<Record<string, Column>>
  }[]
  readonly goals: readonly { readonly text: string; readonly verdict: string }[]
}

beforeAll(async () => {
  await ensureCompiler()
  await ensurePackages('redis-server')
}, INSTALL_TIMEOUT_MS)

const isFigure = (value: unknown): boolean => Number.isFinite(value)

/** Does not check speed, since machines that run tests are busy. */
async function run(...more: readonly string[]): Promise<Results> {
  const args = [RUN, '--quick', '--json', '--name', 'smoke', ...more]
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 24 })
  return JSON.parse(stdout) as Results
}

describe('npm run bench, on a Redis', () => {
  it('publishes at one server and hears at another', { timeout: RUN_TIMEOUT_MS }, async () => {
    const peer = 'redis-across'
    const { outcomes } = await run('--only', 'redis-publish', '--peers', peer)
    const [round] = outcomes[0]?.peers[peer]?.rounds ?? []
    expect(round?.delivered).toBeGreaterThan(0)
    expect(round?.besideCpuUsPerRequest).toBeGreaterThan(0)
    expect(round).toMatchObject({ delivered: round?.expected, lost: 0, doubled: 0, reordered: 0 })
  })
})

describe('npm run bench -- --quick', () => {
  let results: Results

  beforeAll(async () => {
    results = await run()
  }, RUN_TIMEOUT_MS)

  const column = (id: string, peer: string): Column => {
    const found = results.outcomes.find((outcome) => outcome.id === id)?.peers[peer]
    if (!found) throw new Error(`nothing was measured of ${peer} in ${id}`)
    return found
  }

  it.each([
    ['fanout-1x100', 'channelstream'],
    ['fanout-1x100', 'write-loop'],
    ['publish', 'channelstream'],
    ['batch-100', 'channelstream'],
  ])('in %s, %s delivers each message exactly once and in order', (id, peer) => {
    for (const round of column(id, peer).rounds) {
      expect(round.delivered).toBeGreaterThan(0)
      expect(round).toMatchObject({
        delivered: round.expected,
        ...{ lost: 0, doubled: 0, reordered: 0, strayed: 0, closed: 0, errors: 0 },
      })
    }
  })

  it('has every figure that is shown, for every peer', () => {
    for (const { shows, peers } of results.outcomes) {
      for (const { failed, summary } of Object.values(peers)) {
        expect(failed).toBeUndefined()
        for (const figure of shows) expect(summary[figure]?.median).toSatisfy(isFigure)
      }
    }
  })

  it('plays clients that come and go', () => {
    expect(column('churn', 'channelstream').rounds[0]?.roundsPerSecond).toBeGreaterThan(0)
  })

  it('says of each goal whether it was met, and of what machine', () => {
    const verdicts = new Set(results.goals.map(({ verdict }) => verdict))
    expect([...verdicts]).toSatisfy((all: string[]) =>
      all.every((verdict) => ['pass', 'miss', 'not measured'].includes(verdict)),
    )
    expect(Object.keys(results.machine)).toEqual(
      expect.arrayContaining(['cpu', 'cores', 'kernel', 'node', 'date']),
    )
    expect(results.goals.at(-1)).toMatchObject({ verdict: 'pass' })
  })
})
