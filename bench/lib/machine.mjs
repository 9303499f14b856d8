/** Describes the machine, since figures are meaningless without it. */
import { readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

const LOOK_MS = 500

export async function describeMachine() {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: `Linux ${release()}`,
    node: process.version,
    date: new Date().toISOString().slice(0, 10),
    /** CPU usage of other work before the run. */
    busyPercent: await busyPercent(),
  }
}

/** Above this, other work distorts the figures too much. */
export const isTooBusy = ({ busyPercent }) => busyPercent > 10

async function busyPercent() {
  const before = processorTimes()
  await sleep(LOOK_MS)
  const after = processorTimes()
  return Math.round((100 * (after.busy - before.busy)) / (after.total - before.total || 1))
}

function processorTimes() {
  const times = cpus().flatMap(({ times }) => Object.entries(times))
  const sum = (entries) => entries.reduce((total, [, ms]) => total + ms, 0)
  return { total: sum(times), busy: sum(times.filter(([kind]) => kind !== 'idle')) }
}

/**
 * Assigns the cores that this process may use: the first to servers, the last to the load generator, and the others to
 * whatever runs beside the server.
 */
export function chooseCores() {
  const [, list = '0'] =
    /Cpus_allowed_list:\s*(\S+)/.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  const cores = list.split(',').flatMap((range) => {
    const [from = 0, to = from] = range.split('-').map(Number)
    return Array.from({ length: to - from + 1 }, (_, index) => from + index)
  })
  const [server = 0, ...others] = cores
  const load = others.pop() ?? server
  return { server, load, besides: others.length > 0 ? others : [load] }
}
