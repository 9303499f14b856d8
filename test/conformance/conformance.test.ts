import { beforeAll, describe, it, vi } from 'vitest'
import { startServer } from '../helpers/server.ts'
import { play } from './player.ts'
import { loadScenarios } from './scenario.ts'
import type { ConfigInput } from '../../src/config/load.ts'

// Scenarios mostly wait, so many fit side by side, up to where they wait for the processor: then the
// timed ones (polls that gather, gaps of heartbeats) suffer. More than this saves nothing, since the
// longest takes twenty seconds by itself.
vi.setConfig({ maxConcurrency: 8 })

const USUAL_SECONDS = 4

/** Where steps have to fall into one window, which a busy machine may miss: the same rule, with a longer window. */
const PATIENCE: Readonly<Record<string, ConfigInput>> = { 'poll-gathers': { poll_gather: 1 } }

// The first server of a process loads and compiles everything, which no scenario should have to wait for.
beforeAll(async () => {
  const server = await startServer()
  await server.close()
})

describe.concurrent('conformance', () => {
  for (const { label, scenario } of loadScenarios()) {
    const timeout = 15_000 + (scenario.seconds ?? USUAL_SECONDS) * 2000
    it(`${label}: ${scenario.why}`, { timeout }, async () => {
      const server = await startServer({ ...PATIENCE[scenario.name], ...scenario.ini })
      try {
        await play(scenario, server)
      } finally {
        await server.close()
      }
    })
  }
})
