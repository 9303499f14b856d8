import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    reporters: ['default', './test/helpers/closing-line.ts'],
    testTimeout: 15_000,
    hookTimeout: 30_000,
    // Much of the time is waiting, so a few more workers than cores.
    maxWorkers: 3,
  },
})
