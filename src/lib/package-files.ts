import { existsSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { getRawAsset, isSea } from 'node:sea'

/** The files of this package that a running server reads. Paths are relative to the package, without a leading slash. */
export interface PackageFiles {
  /** Resolves with undefined if there is no such file. */
  read(path: string): Promise<Buffer | undefined>
  /** Throws if there is no such file. */
  readSync(path: string): Buffer
}

/** In the folder of the package, or in the executable that `scripts/build-binary.mjs` makes. */
export const PACKAGE_FILES: PackageFiles = isSea()
  ? filesInExecutable()
  : filesBelow(nearestPackage(new URL('./', import.meta.url)))

function filesBelow(folder: URL): PackageFiles {
  return {
    read: async (path) => ifThere(() => readFile(new URL(path, folder))),
    readSync: (path) => readFileSync(new URL(path, folder)),
  }
}

/** Reads assets of a single executable application, whose keys are the paths. */
function filesInExecutable(): PackageFiles {
  // Without a copy: nobody may write to it.
  const readSync = (path: string): Buffer => Buffer.from(getRawAsset(path) as ArrayBuffer)
  return {
    read: async (path) => ifThere(() => readSync(path)),
    readSync,
  }
}

/** Codes of errors for what is no file. */
const NO_FILE: ReadonlySet<string | undefined> = new Set([
  'EISDIR',
  'ENAMETOOLONG',
  'ENOENT',
  'ERR_SINGLE_EXECUTABLE_APPLICATION_ASSET_NOT_FOUND',
])

async function ifThere(read: () => Buffer | Promise<Buffer>): Promise<Buffer | undefined> {
  try {
    return await read()
  } catch (error) {
    if (NO_FILE.has((error as NodeJS.ErrnoException).code)) return undefined
    throw error
  }
}

/**
 * Returns the nearest ancestor of `folder` with a `package.json`. The depth differs, because this code runs from `src/`,
 * from `dist/` and from bundles below `dist/`.
 */
function nearestPackage(folder: URL): URL {
  if (existsSync(new URL('package.json', folder))) return folder
  const parent = new URL('../', folder)
  if (parent.href === folder.href) throw new Error(`no package.json above ${import.meta.url}`)
  return nearestPackage(parent)
}
