/** Python packages from PyPI, in an environment of their own below `.cache/`. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { DEBIAN_PYTHON, ensurePackages } from './debian-packages.ts'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const REQUIREMENTS = join(ROOT, 'test', 'python', 'requirements.txt')

/** Builds an environment beside the final place, so that one that is there is whole. */
const INSTALL = `
  set -eu
  python=$1 requirements=$2 folder=$3
  [ -e "$folder/whole" ] && exit
  rm -rf "$folder"
  "$python" -m venv "$folder"
  "$folder/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$requirements"
  touch "$folder/whole"
`

export type PythonPackages =
  | { readonly bin: string; readonly missing?: never }
  | { readonly missing: string; readonly bin?: never }

/**
 * Installs what `test/python/requirements.txt` names, unless an earlier run has. Several processes may call it at the same
 * time. Resolves with the folder of its programs, or with the reason why they cannot be installed here.
 */
export async function ensurePythonPackages(): Promise<PythonPackages> {
  const hash = createHash('sha256')
    .update(await readFile(REQUIREMENTS))
    .digest('hex')
  const folder = join(ROOT, '.cache', `python-${hash.slice(0, 12)}`)
  try {
    await ensurePackages('python3-venv')
    await mkdir(join(ROOT, '.cache'), { recursive: true })
    const args = ['sh', '-c', INSTALL, 'install', DEBIAN_PYTHON, REQUIREMENTS, folder]
    await run('flock', [`${folder}.lock`, ...args])
  } catch (error) {
    const { stderr = '', message } = error as Error & { readonly stderr?: string }
    const [line = message] = stderr.trim().split('\n').slice(-1)
    return { missing: `Python packages cannot be installed: ${line}` }
  }
  return { bin: join(folder, 'bin') }
}
