/**
 * Standard output and standard error of a server. The server must keep running whatever they are: a file on a full
 * disk, a pipe without a reader or with one that does not read, a stopped terminal. Node's own `process.stderr` blocks
 * the process on files and terminals. Reasons: docs/decisions/0034-logging-never-blocks.md.
 */
import { constants, fstatSync, openSync, write } from 'node:fs'
import { isatty } from 'node:tty'
import { DEFAULT_FORM, inForm } from './log-form.ts'
import { Output, type WriteSome } from './output.ts'
import type { LogForm } from './log-form.ts'

/** For each of the two streams. */
const MAX_WAITING_BYTES = 1_048_576
/** How long the process waits for the last lines before it exits. */
const LAST_FLUSH_MS = 500

const opened = new Map<1 | 2, Output>()

/** For messages to people. */
export const standardOutput = (): Output => outputTo(1, peopleNotice)

/** For the log. */
export const standardError = (): Output => outputTo(2, logNotice)

/** Exits the process when all lines are written, or cannot be written soon. */
export function endProcess(exitCode: number, end: () => void = () => process.exit(exitCode)): void {
  Promise.all([...opened.values()].map((output) => output.flush(LAST_FLUSH_MS))).then(end, end)
}

/** Returns the only output for each descriptor: two would mix their lines. */
function outputTo(fd: 1 | 2, notice: (dropped: number) => string): Output {
  const found = opened.get(fd)
  if (found) return found
  const output = new Output(writeTo(fd), { maxBytes: MAX_WAITING_BYTES, notice })
  opened.set(fd, output)
  return output
}

const peopleNotice = (dropped: number): string => `(${lines(dropped)} dropped)\n`

let logForm = DEFAULT_FORM

/** Sets the form of the lines that standard error itself adds to the log. */
export function setLogForm(form: LogForm): void {
  logForm = form
}

/** In the form of warnings. It is written whatever `log_level` is. */
const logNotice = (dropped: number): string =>
  inForm(
    logForm,
    `${JSON.stringify({ level: 40, time: Date.now(), dropped, msg: `${lines(dropped)} dropped: standard error could not be written` })}\n`,
  )

const lines = (count: number): string => `${count} ${count === 1 ? 'line was' : 'lines were'}`

function writeTo(fd: 1 | 2): WriteSome {
  const stats = fstatSync(fd)
  if (stats.isFIFO() || stats.isSocket())
    return toStream(fd === 1 ? process.stdout : process.stderr)
  return toDescriptor(isatty(fd) ? terminalOf(fd) : fd)
}

/** Node makes pipes and sockets non-blocking, and waits for room in them without a thread. */
function toStream(stream: NodeJS.WriteStream): WriteSome {
  stream.on('error', () => {}) // the write callback gets the error as well
  return (bytes, done) =>
    stream.write(bytes, (error) => done(error ?? null, error ? 0 : bytes.length))
}

/** Writes in a thread, because a disk may be slow. */
function toDescriptor(fd: number): WriteSome {
  return (bytes, done) => write(fd, bytes, 0, bytes.length, null, done)
}

/**
 * Opens the same terminal again, as non-blocking. A thread that writes to a stopped terminal hangs, and so does the
 * exit of the process, which waits for its threads.
 */
function terminalOf(fd: 1 | 2): number {
  try {
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants
    return openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY)
  } catch {
    return fd // a system without /proc, or a terminal of another user
  }
}
