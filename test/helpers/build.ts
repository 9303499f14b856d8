/** Builds parts of `dist/` that few tests need. */
import { run } from '../docs/running.ts'

/** Generous, for the compiler on a busy machine. */
export const BUILD_TIMEOUT_MS = 180_000

/** Builds the type declarations of the public modules, unless they are up to date. */
export async function buildTypes(): Promise<void> {
  await run(process.execPath, ['scripts/build-missing.mjs', 'types'])
}
