import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/helpers/longest-first.ts'

/** Tests that look at how long something takes: nothing runs beside them. */
const ALONE = [
  'test/abuse/slow-readers.test.ts',
  'test/e2e/leaving.test.ts',
  'test/e2e/size.test.ts',
  'test/bench/**/*.test.ts',
  'test/frontend/**/scale.test.ts',
]
/** Tests with browsers, which need a good part of a processor each. */
const IN_BROWSERS = ['test/frontend/**/*.test.ts', 'test/demo/**/*.test.ts']

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
          exclude: [...ALONE, ...IN_BROWSERS],
          // Much of the time is waiting, so more workers than cores.
          maxWorkers: 4,
          // A process that loads the server once and then runs file after file takes a third of the time.
          isolate: false,
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
