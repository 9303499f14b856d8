/** Starts and stops the processes of the bench, each pinned to a core. Never touches other processes. */
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { createServer } from 'node:net'

const START_PATIENCE_MS = 20_000
const STOP_PATIENCE_MS = 5_000
const HAS_TASKSET = existsSync('/usr/bin/taskset')

const running = new Set()
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')))
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

/** Raises the limit of open files to what the scenarios need, or to the hard limit. */
const WITH_FILES = 'ulimit -n 65535 2>/dev/null || ulimit -n "$(ulimit -Hn)"; exec "$@"'

/**
 * Returns a command that runs `command` pinned to one core. Without taskset, the kernel chooses the core.
 *
 * @param {number} core
 * @param {readonly string[]} command
 */
export function pinned(core, command) {
  const shell = ['sh', '-c', WITH_FILES, 'sh', ...command]
  return HAS_TASKSET ? ['taskset', '-c', String(core), ...shell] : shell
}

/**
 * Starts a server and waits until its output matches `ready`.
 *
 * @param {readonly string[]} command
 * @param {{ core: number, ready: RegExp, env?: Record<string, string>, cwd?: string }} options
 * @returns {Promise<{ pid: number, match: RegExpExecArray, stop: () => Promise<void> }>}
 */
export async function startServer(command, { core, ready, env = {}, cwd }) {
  const [program = '', ...args] = pinned(core, command)
  const stdio = ['ignore', 'pipe', 'pipe']
  const child = spawn(program, args, { cwd, stdio, env: { ...process.env, ...env } })
  running.add(child)
  const exited = new Promise((resolve) => {
    child.once('close', () => {
      running.delete(child)
      resolve()
    })
  })
  try {
    const match = await outputMatches(child, ready)
    return { pid: child.pid ?? 0, match, stop: () => stop(child, exited) }
  } catch (error) {
    await stop(child, exited)
    throw error
  }
}

function outputMatches(child, ready) {
  let output = ''
  return new Promise((resolve, reject) => {
    const giveUp = (why) => reject(new Error(`${child.spawnargs.join(' ')} ${why}:\n${output}`))
    const timer = setTimeout(() => giveUp('did not get ready'), START_PATIENCE_MS)
    child.once('error', reject)
    child.once('close', () => giveUp('ended'))
    const look = (part) => {
      if (output.length > 65_536) return
      output += part
      const match = ready.exec(output)
      if (match) resolve(match)
      if (match) clearTimeout(timer)
    }
    child.stdout.on('data', look)
    child.stderr.on('data', look)
  })
}

async function stop(child, exited) {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_PATIENCE_MS)
  await exited
  clearTimeout(timer)
}

/** Returns the child processes of a process. */
export function childrenOf(pid) {
  const list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return list === '' ? [] : list.split(' ').map(Number)
}

const TICK_US = 10_000

/** Returns the total CPU time of these processes in µs. The kernel counts in ticks of 10 ms. */
export function cpuUs(pids) {
  const ticks = pids.map((pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [, user, system] = /\) (?:\S+ ){11}(\d+) (\d+)/.exec(stat) ?? []
    return Number(user) + Number(system)
  })
  return ticks.reduce((sum, count) => sum + count, 0) * TICK_US
}

/** Returns the total number of open sockets, files and pipes of these processes. */
export const openFiles = (pids) =>
  pids.reduce((sum, pid) => sum + readdirSync(`/proc/${pid}/fd`).length, 0)

/** Returns the total resident memory of these processes. */
export function residentKib(pids) {
  const kib = pids.map((pid) => /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')))
  return kib.reduce((sum, match) => sum + Number(match?.[1] ?? 0), 0)
}

/** Returns how many files a process may open. */
export function fileLimit() {
  return (
    Number(execFileSync('sh', ['-c', 'ulimit -n 65535 2>/dev/null; ulimit -Hn']).toString()) ||
    65_535
  )
}

/** Returns a free loopback port, for servers that cannot choose one themselves. */
export async function freePort() {
  const server = createServer()
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}
