import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/helpers/longest-first.ts'

/** Tests that look at how long something takes: nothing runs beside them. */
const ALONE = [
  'test/abuse/turns.test.ts',
  'test/abuse/slow-readers.test.ts',
  'test/disk/turns.test.ts',
  'test/e2e/leaving.test.ts',
  'test/e2e/size.test.ts',
  'test/bench/**/*.test.ts',
  'test/frontend/**/scale.test.ts',
]
/** Tests that look at what this process has worked, or holds: what others have loaded and left would count. */
const BY_THEMSELVES = [
  'test/core/queries/directory.test.ts',
  'test/core/queries/paged-answer.test.ts',
  'test/http/body-reader.test.ts',
  'test/net/pipelines.test.ts',
  'test/property/memory.test.ts',
  'test/store/redis/lease.test.ts',
  'test/store/memory/store.test.ts',
  'test/telemetry/event-loop.test.ts',
]
/** Tests with browsers, which need a good part of a processor each. */
const IN_BROWSERS = ['test/frontend/**/*.test.ts', 'test/demo/**/*.test.ts']

/** Much of the time is waiting, so more than there are cores. */
const WORKERS = 4

/** Scripts for Redis are text. The build does the same with them. */
const luaAsText = {
  name: 'lua-as-text',
  transform: (text: string, id: string) =>
    id.endsWith('.lua') ? `export default ${JSON.stringify(text)}` : undefined,
}

export default defineConfig({
  plugins: [luaAsText],
  test: {
    reporters: ['default', './test/helpers/closing-line.ts'],
    // Only what fails waits as long.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: 'together',
          include: ['test/**/*.test.ts'],
          exclude: [...ALONE, ...BY_THEMSELVES, ...IN_BROWSERS],
          maxWorkers: WORKERS,
          // A process that has loaded the server runs file after file, which saves a second of a processor for each.
          isolate: false,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'by themselves',
          include: BY_THEMSELVES,
          maxWorkers: WORKERS,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'in browsers',
          include: IN_BROWSERS,
          exclude: ALONE,
          maxWorkers: 2,
          // What is imported for pages takes longer to load than most files take to run.
          isolate: false,
          globalSetup: './test/helpers/browser-server.ts',
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: { name: 'alone', include: ALONE, maxWorkers: 1, sequence: { groupOrder: 3 } },
      },
    ],
  },
})
