import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'

interface Cost {
  readonly server: number
  readonly redis: number
}
interface Demand {
  readonly connections: number
  readonly channelSize: number
  readonly minutesBetweenMessages: number
  readonly sessionMinutes: number
  readonly openingsPerSession: number
}
interface Played {
  readonly serverBusy: number
  readonly redisBusy: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly serversPerMessage: number
}
interface Recorded {
  readonly costs: Readonly<Record<string, Cost>>
  readonly idle: Cost
}
interface Plan {
  readonly demand: { readonly connections: number }
  readonly installations: number
  readonly servers: number
  readonly played: Played
}

const bench = (path: string): Promise<unknown> =>
  import(new URL(`../../bench/${path}`, import.meta.url).href)

const { simulate, serversHearing } = (await bench('simulate/model.mjs')) as {
  simulate: (
    demand: Demand,
    servers: number,
    recorded: Recorded,
    options: { seconds: number; seed?: number },
  ) => Played
  serversHearing: (size: number, count: number) => number
}

const FREE: Cost = { server: 0, redis: 0 }
/** All other costs are 0. */
const recorded = (costs: Readonly<Record<string, Partial<Cost>>>): Recorded => {
  const names = ['connect', 'open', 'disconnect', 'message', 'hear', 'deliver', 'second']
  const all = names.map((name) => [name, { ...FREE, ...costs[name] }] as const)
  return { idle: FREE, costs: Object.fromEntries(all) }
}

/** 1,000 messages a second, with almost no connects and disconnects. */
const DEMAND: Demand = {
  connections: 60_000,
  channelSize: 1,
  minutesBetweenMessages: 1,
  sessionMinutes: 1e6,
  openingsPerSession: 1,
}
const ROUND_TRIP_MS = 0.2

describe('the simulation', () => {
  it('takes exactly as long as the steps do where nobody waits', () => {
    const rare = { ...DEMAND, minutesBetweenMessages: 1000 }
    const costs = recorded({
      message: { server: 1000, redis: 200 },
      hear: { server: 300, redis: 100 },
      deliver: { server: 100 },
    })
    const { p50Ms } = simulate(rare, 1, costs, { seconds: 60 })
    expect(p50Ms).toBeCloseTo(1 + 0.2 + 0.1 + 0.3 + 0.1 + ROUND_TRIP_MS, 3)
  })

  it('waits as long as the theory of queues says (M/D/1)', () => {
    const service = 0.5
    const costs = recorded({ message: { redis: service * 1000 } })
    const { redisBusy } = simulate(DEMAND, 1, costs, { seconds: 60 })
    expect(redisBusy).toBeCloseTo(0.5, 1)
    // Mean: service + busy * service / (2 * (1 - busy)); the median is below that.
    const mean = service + (redisBusy * service) / (2 * (1 - redisBusy)) + ROUND_TRIP_MS
    const { p50Ms, p99Ms } = simulate(DEMAND, 1, costs, { seconds: 60 })
    expect(p50Ms).toBeGreaterThan(service + ROUND_TRIP_MS)
    expect(p50Ms).toBeLessThan(mean)
    expect(p99Ms).toBeGreaterThan(mean)
  })

  it('spreads a channel over servers as the arithmetic says', () => {
    const demand = { ...DEMAND, channelSize: 50 }
    const { serversPerMessage } = simulate(demand, 40, recorded({}), { seconds: 20 })
    expect(serversPerMessage / serversHearing(50, 40)).toBeCloseTo(1, 1)
  })

  it('says so when a server cannot even hold its connections', () => {
    const costs = recorded({ second: { server: 100 } })
    expect(simulate(DEMAND, 2, costs, { seconds: 1 }).serverBusy).toBe(Infinity)
  })

  it('gives the same figures for the same seed, and others for another', () => {
    const costs = recorded({ message: { server: 500, redis: 300 } })
    const first = simulate(DEMAND, 2, costs, { seconds: 5, seed: 7 })
    expect(simulate(DEMAND, 2, costs, { seconds: 5, seed: 7 })).toEqual(first)
    expect(simulate(DEMAND, 2, costs, { seconds: 5, seed: 8 })).not.toEqual(first)
  })
})

describe('the plans of docs/scaling.md', () => {
  it('are what the recorded costs give', async () => {
    const { DEMANDS, mostOnOneRedis, plan } = (await bench('simulate/plan.mjs')) as {
      DEMANDS: readonly [Demand, ...Demand[]]
      mostOnOneRedis: (demand: Demand, recorded: Recorded) => number
      plan: (demand: Demand, recorded: Recorded) => Plan
    }
    const { bytesText, costTable, limitText, planTable } = (await bench('simulate/report.mjs')) as {
      bytesText: (recorded: Recorded) => string
      limitText: (connections: number) => string
      costTable: (recorded: Recorded) => string[][]
      planTable: (plans: readonly Plan[]) => string[][]
    }
    const file = new URL('../../bench/simulate/recorded.json', import.meta.url)
    const known = JSON.parse(await readFile(file, 'utf8')) as Recorded
    const plans = DEMANDS.map((demand) => plan(demand, known))
    const page = await readFile(new URL('../../docs/scaling.md', import.meta.url), 'utf8')
    for (const row of [...costTable(known), ...planTable(plans)])
      expect(page).toContain(`| ${row.join(' | ')} |`)
    const most = mostOnOneRedis(DEMANDS[0], known)
    expect(page).toContain(limitText(most))
    expect(page).toContain(bytesText(known))
    expect(plan({ ...DEMANDS[0], connections: most }, known).installations).toBe(1)
    for (const { played } of plans) {
      expect(played.serverBusy).toBeLessThanOrEqual(0.6)
      expect(played.redisBusy).toBeLessThanOrEqual(0.6)
    }
  })
})
