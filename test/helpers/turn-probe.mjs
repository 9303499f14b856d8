/**
 * Measures how long the main thread of a process is on a processor in one turn of its event loop: the longest turn since it
 * was last asked to begin anew. Loaded into a server by `node --import`; `turn-probe.ts` is the other end of its channel.
 *
 * Time on a processor, and of this thread alone: what else the machine does, a wait, and the helpers of the garbage
 * collector do not count. Pauses of the collector, compiling, and what the system does for the thread do.
 *
 * A turn begins when the poll of the network returns and ends before the next one. Two marks find its parts:
 * an immediate that is not ref'd runs first after the callbacks of sockets, and does not keep the loop from waiting for
 * them; a timer set by it runs last in the same turn, behind all immediates and closed handles. The timer is set only where
 * the turn was long enough for it to be due by then. Shorter ones may be counted together with the one after them.
 */
import { WASI } from 'node:wasi'

/** From so many milliseconds in the callbacks of sockets on, the end of a turn is marked as well. */
const WORTH_MARKING_MS = 0.2
/** The loop counts as quiet once it had so many looks, so far apart, between which it did so little. */
const QUIET = { looks: 3, everyMs: 5, ms: 1 }
/** A process that is never quiet is reported on as it is. */
const QUIET_WITHIN_MS = 20_000

/**
 * Milliseconds that this thread has been on a processor, to the nanosecond. Node has `process.threadCpuUsage` for it only
 * from version 22 on; the clock of WASI is there in all, and `/proc` knows nothing of what began since the last tick of the
 * system's clock.
 */
function threadClock() {
  const wasi = new WASI({ version: 'preview1' })
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(MODULE_WITH_MEMORY))
  wasi.initialize({ exports })
  const time = new DataView(exports.memory.buffer)
  const THREAD_CPU_TIME = 3
  return () => {
    const fault = wasi.wasiImport.clock_time_get(THREAD_CPU_TIME, 1n, 0)
    if (fault !== 0) throw new Error(`this system has no clock for a thread: ${fault}`)
    return Number(time.getBigUint64(0, true)) / 1e6
  }
}
/** `(module (memory (export "memory") 1))` */
const MODULE_WITH_MEMORY = Buffer.from(
  '0061736d01000000' + '0503010001' + '070a01066d656d6f72790200',
  'hex',
)

const now = threadClock()
let began = now()
let longest = 0

function mark() {
  const at = now()
  longest = Math.max(longest, at - began)
  return at
}

function endTurn() {
  began = mark()
}

function afterPoll() {
  setImmediate(afterPoll).unref()
  const at = mark()
  if (at - began > WORTH_MARKING_MS) setTimeout(endTurn, 0).unref()
  else began = at
}
setImmediate(afterPoll).unref()

/** Calls `done` once what was begun has been done. */
function whenQuiet(done) {
  const deadline = performance.now() + QUIET_WITHIN_MS
  let before = now()
  let looks = 0
  const look = () => {
    const at = now()
    looks = at - before < QUIET.ms ? looks + 1 : 0
    before = at
    if (looks === QUIET.looks || performance.now() > deadline) done()
    else setTimeout(look, QUIET.everyMs)
  }
  setTimeout(look, QUIET.everyMs)
}

/** A fixed piece of work: text is made, read as JSON, looked through and sorted. */
function reference() {
  const began = now()
  const written = Array.from({ length: 4000 }, (_, n) => ({
    name: `record ${(n * 7919) % 4000}`,
    values: [n, n / 3, String(n)],
  }))
  const seen = new Map()
  for (const { name, values } of JSON.parse(JSON.stringify(written))) seen.set(name, values.join())
  if ([...seen.keys()].sort().length !== written.length) throw new Error('a record is lost')
  return now() - began
}

/** How long that takes as a rule, which tells how fast this machine is just now. The first ones are compiled meanwhile. */
function speed() {
  const times = Array.from({ length: 30 }, reference).slice(-15)
  return times.sort((one, other) => one - other)[7]
}

const ANSWERS = {
  begin: (answer) => whenQuiet(() => answer((longest = 0))),
  longest: (answer) => whenQuiet(() => answer(longest)),
  reference: (answer) => answer(speed()),
}

process.on('message', ({ turnProbe, id }) => {
  ANSWERS[turnProbe]?.((ms) => process.send({ turnProbe, id, ms }))
})
// It must not keep the process from ending.
process.channel.unref()
