import { chown, stat } from 'node:fs/promises'

/** Gives a new file to whom its folder belongs: an administrator may prepare what the user of the server uses. */
export async function giveToOwner(folder: string, path: string): Promise<void> {
  if (process.getuid?.() !== 0) return
  const { uid, gid } = await stat(folder)
  await chown(path, uid, gid)
}
