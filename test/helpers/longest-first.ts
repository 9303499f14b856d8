import { relative } from 'node:path'
import { BaseSequencer } from 'vitest/node'
import type { TestSpecification } from 'vitest/node'

/** The slowest files, which mostly wait. If they started last, the run would wait for them alone. In start order. */
const LONGEST = [
  'test/python/schemathesis.test.ts',
  'test/abuse/silent-sockets.test.ts',
  'test/chaos/chaos.test.ts',
  'test/redis/evictions.test.ts',
  'test/redis/losses.test.ts',
  'test/abuse/small-pieces.test.ts',
  'test/conformance/redis.test.ts',
  'test/redis/background.test.ts',
  'test/redis/start.test.ts',
  'test/conformance/conformance.test.ts',
  'test/backend/package.test.ts',
  'test/docs/generated-client.test.ts',
  'test/redis/clocks.test.ts',
  'test/abuse/unfinished-bodies.test.ts',
  'test/redis/coming-back.test.ts',
  'test/abuse/turns.test.ts',
  'test/redis/away.test.ts',
  'test/property/redis.test.ts',
  'test/e2e/standard-streams.test.ts',
]

/** Starts the slowest files first, also on a machine that has not run and measured them before. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const at = LONGEST.indexOf(relative(this.ctx.config.root, moduleId))
      return at < 0 ? LONGEST.length : at
    }
    const sorted = await super.sort(files)
    return sorted.sort(
      (one, other) =>
        one.project.config.sequence.groupOrder - other.project.config.sequence.groupOrder ||
        place(one) - place(other),
    )
  }
}
