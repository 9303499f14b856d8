import { Buffer } from 'node:buffer'
import { readFile, rename, writeFile } from 'node:fs/promises'

/**
 * Writes a file only if its contents change, and in one step: a server that starts builds, and others may be reading.
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
