/** Runs what the documentation shows, as written, but for the server's address. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { ROOT } from './markdown.ts'
import type { ChildProcess } from 'node:child_process'

/** Where the documentation says that the server is. */
const DOCUMENTED = '127.0.0.1:8000'
const START_TIMEOUT_MS = 60_000

export const at = (address: string, text: string): string => text.replaceAll(DOCUMENTED, address)

export interface Run {
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program in the project's root to its end. Rejects, with its output, if it fails. */
export function run(program: string, args: readonly string[]): Promise<Run> {
  const child = spawn(program, args, { cwd: fileURLToPath(ROOT), env: environment() })
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (data: Buffer) => (output.stdout += data.toString()))
  child.stderr.on('data', (data: Buffer) => (output.stderr += data.toString()))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve(output)
      else reject(new Error(`${program} exited with ${code}\n${output.stdout}\n${output.stderr}`))
    })
  })
}

/** Runs lines of shell one after the other; stops at the first that fails. */
export const runShell = (script: string): Promise<Run> => run('sh', ['-eu', '-c', script])

export interface Started {
  /** The part of its output that `ready` captured. */
  readonly found: string
  /** Ends it and whatever it started; resolves when it is gone. */
  readonly stop: () => Promise<void>
}

/** Starts a program that goes on; resolves once its output has `ready`. */
export function start(
  command: readonly [string, ...string[]],
  ready: RegExp,
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Started> {
  const [program, ...args] = command
  const child = spawn(program, args, {
    cwd: options.cwd ?? fileURLToPath(ROOT),
    env: { ...environment(), ...options.env },
    detached: true, // a group of its own, to be ended as a whole
  })
  const gone = new Promise<void>((resolve) => void child.once('close', () => resolve()))
  const stop = async (): Promise<void> => {
    endGroup(child)
    await gone
  }
  return new Promise((resolve, reject) => {
    let output = ''
    const fail = (why: string): void => reject(new Error(`${command.join(' ')} ${why}\n${output}`))
    const timer = setTimeout(() => {
      fail('did not get ready')
      void stop()
    }, START_TIMEOUT_MS)
    const listen = (data: Buffer): void => {
      output += data.toString()
      const match = ready.exec(output)
      if (!match) return
      clearTimeout(timer)
      resolve({ found: match[1] ?? '', stop })
    }
    child.stdout.on('data', listen)
    child.stderr.on('data', listen)
    child.once('error', (error) => fail(error.message))
    child.once('close', () => {
      clearTimeout(timer)
      fail('ended')
    })
  })
}

function endGroup({ pid, exitCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null) return
  try {
    process.kill(-pid, 'SIGTERM')
  } catch {
    // It has ended in the meantime.
  }
}

/** Without settings of whoever runs the tests. */
function environment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('CHANNELSTREAM_'))
  return Object.fromEntries(own)
}

const ANY: readonly (readonly [RegExp, string])[] = [
  [/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'a uuid'],
  [/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/, 'a timestamp'],
  [/^[0-9a-f]{12}-\d+$/, 'an id'],
  [/^\d+:\d\d:\d\d$/, 'an uptime'],
]

/** A JSON value with what differs from run to run replaced by its kind. */
export function comparable(value: unknown): unknown {
  if (typeof value === 'string') return ANY.find(([form]) => form.test(value))?.[1] ?? value
  if (Array.isArray(value)) return value.map(comparable)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, comparable(inner)] as const),
  )
}
