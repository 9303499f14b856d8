/** Packages that peers need: those of this project, or of the directory that BENCH_PEERS names. */
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

/**
 * Where a package can be imported from; undefined if it is not installed.
 *
 * @param {string} name
 */
export function packageUrl(name) {
  const places = [import.meta.url]
  const { BENCH_PEERS } = process.env
  if (BENCH_PEERS) places.push(pathToFileURL(join(resolve(BENCH_PEERS), 'any.js')).href)
  for (const place of places) {
    try {
      return pathToFileURL(createRequire(place).resolve(name)).href
    } catch {
      continue // not there
    }
  }
  return undefined
}
