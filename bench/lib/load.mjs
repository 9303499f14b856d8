/** Runs the load generator (../load/load.c): files in, one line of JSON out. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { pinned } from './processes.mjs'

/** Options whose values the generator reads from files. */
const IN_FILES = new Set(['paths', 'request', 'churn'])
const TIME_LIMIT_MS = 180_000

/**
 * Returns a function that runs the generator on `core` with the options of load.c. `paths` and `churn` are lists, and
 * `request` is text. The argument of an `http` step is a complete request.
 *
 * @param {string} program
 * @param {number} core
 */
export function loadGenerator(program, core) {
  return async (options) => {
    const directory = await mkdtemp(join(tmpdir(), 'channelstream-bench-'))
    try {
      const args = await Promise.all(
        Object.entries(options)
          .filter(([, value]) => value !== undefined && value !== '')
          .map(async ([name, value]) => `${name}=${await asArgument(name, value, directory)}`),
      )
      const [command, ...rest] = pinned(core, [program, ...args])
      const { stdout, stderr } = await promisify(execFile)(command, rest, {
        timeout: TIME_LIMIT_MS,
      })
      if (stderr !== '') process.stderr.write(stderr)
      return JSON.parse(stdout)
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  }
}

async function asArgument(name, value, directory) {
  if (!IN_FILES.has(name)) return value
  const file = join(directory, name)
  const lines = name === 'churn' ? await stepLines(value, directory) : value
  await writeFile(file, Array.isArray(lines) ? `${lines.join('\n')}\n` : lines)
  return file
}

function stepLines(steps, directory) {
  return Promise.all(
    steps.map(async ([kind, argument], index) => {
      if (kind !== 'http') return `${kind} ${argument ?? ''}`.trim()
      const file = join(directory, `step-${index}`)
      await writeFile(file, argument)
      return `http ${file}`
    }),
  )
}
