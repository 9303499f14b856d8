/** Where jane's lines come from and go to: an editor on a terminal, plain lines on pipes and files. */
import { on } from 'node:events'
import { clearScreenDown, createInterface, cursorTo, moveCursor } from 'node:readline'
import type { Interface } from 'node:readline'

export interface Terminal {
  /** What is typed or piped, line by line, to its end. */
  readonly lines: AsyncIterable<string>
  /** A line on standard output; what is being typed stays under it. */
  show(line: string): void
  /** The same on standard error. */
  note(line: string): void
  /** Reads no more, and leaves the terminal as it was. */
  close(): void
}

export interface Streams {
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
}

const PROMPT = '> '
/** Longer than any server takes; without an end a line would fill the memory. */
const MAX_LINE_LENGTH = 16 * 1024 * 1024

/** `onInterrupt` is told of Ctrl-C where the editor takes it, so that it is no signal. */
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

/** Not by `readline`, which also breaks lines at U+2028 and at a carriage return. */
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

/** Lines can be typed while others come. */
class Editor implements Terminal {
  readonly lines: AsyncIterable<string>
  /** Node does not document `prevRows`; without it there would be empty lines behind what was pasted. */
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
    // Listens at once: a generator alone would only from its first step on.
    this.lines = this.#typed(on(this.#readline, 'line', { close: ['close'] }))
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

  async *#typed(events: AsyncIterable<unknown[]>): AsyncGenerator<string> {
    for await (const [line] of events) if (line !== '') yield line as string
  }

  #write(stream: NodeJS.WriteStream, line: string): void {
    if (this.#isClosed || !stream.isTTY) stream.write(`${line}\n`)
    else this.#writeAbove(line)
  }

  /** Over what is being typed, which is drawn again below. */
  #writeAbove(line: string): void {
    const { stdout } = this.streams
    const { rows } = this.#readline.getCursorPos()
    moveCursor(stdout, 0, -rows)
    cursorTo(stdout, 0)
    clearScreenDown(stdout)
    // Before it draws, the editor goes up by as many rows as it thinks it had: they are put between.
    stdout.write(`${line}\n${'\n'.repeat(this.#readline.prevRows ?? rows)}`)
    this.#readline.prompt(true)
  }
}
