import { Buffer } from 'node:buffer'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Writes a file only if its contents change, and atomically: other processes may read it during a build. Creates its
 * folder.
 *
 * @param {string} path @param {string | Uint8Array} contents
 */
export async function replaceFile(path, contents) {
  const known = await readFile(path).catch(() => undefined)
  if (known?.equals(Buffer.from(contents))) return
  const written = `${path}.${process.pid}`
  await mkdir(dirname(path), { recursive: true })
  await writeFile(written, contents)
  await rename(written, path)
}
