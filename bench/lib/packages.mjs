/** Finds packages that peers need, in this project or in the directory given by BENCH_PEERS. */
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

/**
 * Returns the URL to import a package from, or undefined if it is not installed.
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
      continue // not installed here
    }
  }
  return undefined
}
