import { chown, stat } from 'node:fs/promises'
import type { Directory } from './directory.ts'

/** Gives a new file to whom the directory belongs: an administrator may prepare what the user of the server reads. */
export async function giveToOwner({ path: folder }: Directory, path: string): Promise<void> {
  if (process.getuid?.() !== 0) return
  const { uid, gid } = await stat(folder)
  await chown(path, uid, gid)
}
