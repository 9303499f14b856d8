/** Input and output of jane: a line editor on a terminal, plain lines on pipes and files. */
import { on } from 'node:events'
import { clearScreenDown, createInterface, cursorTo, moveCursor } from 'node:readline'
import type { Interface } from 'node:readline'

export interface Terminal {
  /** The lines of the input. Ends with the input. */
  readonly lines: AsyncIterable<string>
  /** Prints a line to standard output, above the line that is being typed. */
  show(line: string): void
  /** Prints a line to standard error, in the same way. */
  note(line: string): void
  /** Stops reading, and restores the terminal. */
  close(): void
}

export interface Streams {
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
}

const PROMPT = '> '
/** Longer than any server accepts. Without a limit, a line without an end would fill the memory. */
const MAX_LINE_LENGTH = 16 * 1024 * 1024

/** Calls `onInterrupt` on Ctrl-C in the line editor, where it does not cause a signal. */
export function openTerminal(streams: Streams, onInterrupt: () => void): Terminal {
  const { stdin, stdout } = streams
  const canEdit = stdin.isTTY && stdout.isTTY && process.env['TERM'] !== 'dumb'
  return canEdit ? new Editor(streams, onInterrupt) : openPlain(streams)
}

function openPlain({ stdin, stdout, stderr }: Streams): Terminal {
  return {
    lines: linesOf(stdin),
    show: (line) => void stdout.write(`${line}\n`),
    note: (line) => void stderr.write(`${line}\n`),
    close: () => void stdin.destroy(),
  }
}

/** Splits the input at line feeds. `readline` would also split at U+2028 and at a carriage return. */
async function* linesOf(stdin: NodeJS.ReadStream): AsyncGenerator<string> {
  let rest = ''
  for await (const part of stdin.setEncoding('utf8') as AsyncIterable<string>) {
    const lines = (rest + part).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > MAX_LINE_LENGTH) throw new Error('a line of standard input is too long')
    for (const line of lines) yield line.replace(/\r$/, '')
  }
  if (rest !== '') yield rest
}

/** A line editor that stays below the printed lines. */
class Editor implements Terminal {
  readonly lines: AsyncIterable<string>
  /** Node does not document `prevRows`. Without it there would be empty lines after pasted text. */
  readonly #readline: Interface & { readonly prevRows?: number }
  #isClosed = false

  constructor(
    private readonly streams: Streams,
    onInterrupt: () => void,
  ) {
    const { stdin: input, stdout: output } = streams
    this.#readline = createInterface({ input, output, prompt: PROMPT })
    this.#readline.on('SIGINT', onInterrupt)
    this.#readline.on('line', () => this.#readline.prompt())
    this.#readline.once('close', () => {
      this.#isClosed = true
      output.write('\n')
    })
    // `on` listens immediately. A generator alone would listen only from its first step on.
    this.lines = this.#typedLines(on(this.#readline, 'line', { close: ['close'] }))
    this.#readline.prompt()
  }

  show(line: string): void {
    this.#write(this.streams.stdout, line)
  }

  note(line: string): void {
    this.#write(this.streams.stderr, line)
  }

  close(): void {
    this.#readline.close()
  }

  async *#typedLines(events: AsyncIterable<unknown[]>): AsyncGenerator<string> {
    for await (const [line] of events) if (line !== '') yield line as string
  }

  #write(stream: NodeJS.WriteStream, line: string): void {
    if (this.#isClosed || !stream.isTTY) stream.write(`${line}\n`)
    else this.#writeAbove(line)
  }

  /** Writes above the line that is being typed, and redraws that line below. */
  #writeAbove(line: string): void {
    const { stdout } = this.streams
    const { rows } = this.#readline.getCursorPos()
    moveCursor(stdout, 0, -rows)
    cursorTo(stdout, 0)
    clearScreenDown(stdout)
    // Before it redraws, the editor moves up by the rows that it had before. Newlines make room for that.
    stdout.write(`${line}\n${'\n'.repeat(this.#readline.prevRows ?? rows)}`)
    this.#readline.prompt(true)
  }
}
