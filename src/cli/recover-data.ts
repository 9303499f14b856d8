import { existsSync } from 'node:fs'
import { recoverDirectory } from '../store/disk/recover.ts'
import { CommandError } from './arguments.ts'
import type { RecoverDataCommand } from './arguments.ts'
import type { Output } from './running.ts'

/** Makes a damaged data directory usable, and prints what was done. Rejects if it cannot be used. */
export async function recoverData(
  { directory }: RecoverDataCommand,
  { print }: Pick<Output, 'print'>,
): Promise<number> {
  if (!existsSync(directory)) throw new CommandError(`There is no directory ${directory}`)
  for (const sentence of await recoverDirectory(directory)) print(sentence)
  return 0
}
