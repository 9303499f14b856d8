/** The scenarios that only receive over a WebSocket, played over event streams: the deliveries are the same. */
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { startServer } from '../helpers/server.ts'
import { play } from './player.ts'
import { loadScenarios, settingsOf } from './scenario.ts'
import type { Scenario, Step } from './scenario.ts'

vi.setConfig({ maxConcurrency: 8 })

/** The others send, close, or expect what only a WebSocket has. */
const STEPS: readonly string[] = ['http', 'wait', 'open', 'frames', 'silent', 'poll', 'polled']

const kindOf = (step: Step): string => Object.keys(step)[0] ?? ''

function isForStreams({ steps }: Scenario): boolean {
  const opens = steps.filter((step) => 'open' in step)
  const isPlain = opens.every((step) => !step.may_fail && step.path === undefined)
  return opens.length > 0 && isPlain && steps.every((step) => STEPS.includes(kindOf(step)))
}

const scenarios = loadScenarios().filter(({ scenario }) => isForStreams(scenario))

beforeAll(async () => {
  const server = await startServer()
  await server.close()
})

describe.concurrent('conformance over event streams', () => {
  it('is that of most scenarios with a WebSocket', () => {
    expect(scenarios.length).toBeGreaterThan(50)
  })

  for (const { label, scenario } of scenarios)
    it(`${label}: ${scenario.why}`, { timeout: 30_000 }, async () => {
      const server = await startServer(settingsOf(scenario))
      try {
        await play(scenario, server, 'sse')
      } finally {
        await server.close()
      }
    })
})
