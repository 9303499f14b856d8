/**
 * Measures the CPU time of the main thread in one event-loop turn, and reports the longest turn since the last reset.
 * Loaded into a server by `node --import`. `turn-probe.ts` is the other end of its IPC channel.
 *
 * Counts only the CPU time of this thread. Other work on the machine, waiting, and helper threads of the garbage
 * collector do not count. Garbage collection pauses, compilation, and system calls of the thread do.
 *
 * A turn begins when polling for I/O returns and ends before the next poll. Two marks find its parts. An unref'd
 * immediate runs first after the socket callbacks, and does not keep the loop from polling. A timer set by it runs last
 * in the same turn, after all immediates and closed handles, if a millisecond has passed by then. Shorter turns are
 * counted together with the next one. The timers are set only during a measurement: they wake the server each
 * millisecond.
 */
import { WASI } from 'node:wasi'

/** The loop is quiet after this many checks at this interval with less than this CPU time between them. */
const QUIET = { looks: 3, everyMs: 5, ms: 1 }
/** A process that does not become quiet is reported after this time. */
const QUIET_WITHIN_MS = 20_000

/**
 * Returns a clock of the CPU time of this thread, in milliseconds with nanosecond precision. `process.threadCpuUsage`
 * needs Node 22 or later, while all versions have the clock of WASI. `/proc` is only updated with each system tick.
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
let isMeasuring = false
let isEndMarked = false

function mark() {
  const at = now()
  longest = Math.max(longest, at - began)
  return at
}

function endTurn() {
  isEndMarked = false
  began = mark()
}

function afterPoll() {
  setImmediate(afterPoll).unref()
  mark()
  if (isMeasuring && !isEndMarked) {
    isEndMarked = true
    setTimeout(endTurn, 0).unref()
  }
}
setImmediate(afterPoll).unref()

/** Calls `done` once the process is quiet. */
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

/** A fixed piece of work: serializes, parses, reads and sorts records. Returns its CPU time. */
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

/** The median time of the reference work, which shows how fast the machine currently is. The first runs are warm-up. */
function speed() {
  const times = Array.from({ length: 30 }, reference).slice(-15)
  return times.sort((one, other) => one - other)[7]
}

const ANSWERS = {
  begin: (answer) =>
    whenQuiet(() => {
      began = now()
      isMeasuring = true
      answer((longest = 0))
    }),
  longest: (answer) =>
    whenQuiet(() => {
      isMeasuring = false
      answer(longest)
    }),
  reference: (answer) => answer(speed()),
}

process.on('message', ({ turnProbe, id }) => {
  ANSWERS[turnProbe]?.((ms) => process.send({ turnProbe, id, ms }))
})
// The channel must not keep the process alive.
process.channel.unref()
