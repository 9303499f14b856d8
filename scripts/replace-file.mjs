import { Buffer } from 'node:buffer'
import { readFile, rename, writeFile } from 'node:fs/promises'

/**
 * Writes a file only if its contents change, and atomically: other processes may read it during a build.
 *
 * @param {string} path @param {string | Uint8Array} contents
 */
export async function replaceFile(path, contents) {
  const known = await readFile(path).catch(() => undefined)
  if (known?.equals(Buffer.from(contents))) return
  const written = `${path}.${process.pid}`
  await writeFile(written, contents)
  await rename(written, path)
}
