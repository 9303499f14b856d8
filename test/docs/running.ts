/** Runs examples of the documentation as written. Only the address of the server is replaced. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { ROOT } from './markdown.ts'
import type { ChildProcess } from 'node:child_process'

/** The address of the server in the documentation. */
const DOCUMENTED = '127.0.0.1:8000'
const START_TIMEOUT_MS = 60_000

export const at = (address: string, text: string): string => text.replaceAll(DOCUMENTED, address)

export interface Run {
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program in the root of the project to its end. If the program fails, rejects with its output. */
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

/** Runs a shell script. Stops at the first command that fails. */
export const runShell = (script: string): Promise<Run> => run('sh', ['-eu', '-c', script])

export interface Started {
  /** The part of its output that `ready` captured. */
  readonly found: string
  /** Ends the program and its child processes. Resolves when the program has ended. */
  readonly stop: () => Promise<void>
}

/** Starts a program that keeps running. Resolves when its output matches `ready`. */
export function start(
  command: readonly [string, ...string[]],
  ready: RegExp,
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Started> {
  const [program, ...args] = command
  const child = spawn(program, args, {
    cwd: options.cwd ?? fileURLToPath(ROOT),
    env: { ...environment(), ...options.env },
    detached: true, // in a new process group, to end all its processes together
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
    // The group has already ended.
  }
}

/** Returns the environment without settings of the server, which the developer may have set. */
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

/** Replaces parts of a JSON value that differ from run to run by their kind. */
export function comparable(value: unknown): unknown {
  if (typeof value === 'string') return ANY.find(([form]) => form.test(value))?.[1] ?? value
  if (Array.isArray(value)) return value.map(comparable)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, comparable(inner)] as const),
  )
}
