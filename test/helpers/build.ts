/** Parts of `dist/` that few tests need. */
import { run } from '../docs/running.ts'

/** Long enough for the compiler on a busy machine. */
export const BUILD_TIMEOUT_MS = 180_000

/** Builds the type declarations of what others import, unless they are those of the sources that are there now. */
export async function buildTypes(): Promise<void> {
  await run(process.execPath, ['scripts/build-missing.mjs', 'types'])
}
