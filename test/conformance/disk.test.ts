/** The same scenarios on a server that keeps its data on disk. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, vi } from 'vitest'
import { startServer } from '../helpers/server.ts'
import { play } from './player.ts'
import { loadScenarios, settingsOf } from './scenario.ts'

vi.setConfig({ maxConcurrency: 8 })

const USUAL_SECONDS = 4

describe.concurrent('conformance with a data_dir', () => {
  for (const { label, scenario } of loadScenarios()) {
    const timeout = 20_000 + (scenario.seconds ?? USUAL_SECONDS) * 2000
    it(`${label}: ${scenario.why}`, { timeout }, async () => {
      const data_dir = mkdtempSync(join(tmpdir(), 'channelstream-data-'))
      const server = await startServer({ ...settingsOf(scenario), data_dir })
      try {
        await play(scenario, server)
      } finally {
        await server.close()
        rmSync(data_dir, { recursive: true, force: true })
      }
    })
  }
})
