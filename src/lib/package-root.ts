import { existsSync } from 'node:fs'

/**
 * The folder of this package: the nearest ancestor of this file with a `package.json`.
 *
 * The depth differs, because this code runs from `src/`, from `dist/` and from bundles below `dist/`.
 */
export const PACKAGE_ROOT: URL = nearestPackage(new URL('./', import.meta.url))

function nearestPackage(folder: URL): URL {
  if (existsSync(new URL('package.json', folder))) return folder
  const parent = new URL('../', folder)
  if (parent.href === folder.href) throw new Error(`no package.json above ${import.meta.url}`)
  return nearestPackage(parent)
}
