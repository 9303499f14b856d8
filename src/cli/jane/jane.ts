/** `jane`: a chat client for the terminal, for servers that speak Philote 0.3. */
import { constants } from 'node:os'
import { reasonOf } from '../../lib/reason.ts'
import { JWT_FIELDS, readMessage } from '../../philote/incoming.ts'
import { askInfo } from '../answer.ts'
import { UsageError, readFlags, usageError } from '../flags.ts'
import { printable } from '../printable.ts'
import { SIGNING_FLAGS, readSignature, signToken } from '../token.ts'
import { JaneConnection } from './connection.ts'
import { openTerminal } from './terminal.ts'
import type { FlagValues, Flags, Usage } from '../flags.ts'
import type { Output } from '../running.ts'
import type { Streams, Terminal } from './terminal.ts'

const DEFAULT_HOST = '127.0.0.1'
const DEFAULT_PORT = '6380'

const JANE = {
  summary:
    'jane: a chat client for the terminal. It sends each line of input to the channel, and prints messages of others.',
  flags: {
    ...SIGNING_FLAGS,
    p: { value: 'HOST:PORT', about: 'the server', default: `${DEFAULT_HOST}:${DEFAULT_PORT}` },
    c: { value: 'CHANNEL', about: 'the channel', default: 'test-channel' },
    t: { value: 'TOKEN', about: 'use this token instead of one made with the secret' },
    secure: { about: 'use TLS: wss, https' },
    info: { about: 'print the answer of /api/info, and exit' },
  },
} as const satisfies Usage<Flags>

type JaneFlags = FlagValues<(typeof JANE)['flags']>

/** What {@link jane} needs from the process. */
export interface JaneContext extends Output {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly streams: Streams
}

const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Runs the chat, and resolves with the exit code. 0: the server has read every line. 1: the first connection failed,
 * the token was refused, or a line may not have arrived. 2: the arguments are wrong. 128 plus the number of a signal:
 * the signal ended it. SIGPIPE stands for a closed output pipe.
 */
export async function jane(argv: readonly string[], context: JaneContext): Promise<number> {
  const { env, streams, print, printError } = context
  try {
    const flags = readFlags(JANE, argv)
    const authority = authorityOf(flags.p)
    if (authority === undefined) throw usageError(JANE, 'flag -p: expected HOST:PORT')
    const token = flags.t ?? (await makeToken(flags, env))
    const scheme = flags.secure ? 's' : ''
    if (!flags.info)
      return await chat({ url: `ws${scheme}://${authority}`, token, channel: flags.c, streams })
    const info = await askInfo(`http${scheme}://${authority}`, token)
    for (const line of JSON.stringify(info, null, 2).split('\n')) print(printable(line))
    return 0
  } catch (error) {
    if (error instanceof UsageError) {
      printError(error.message)
      return error.status
    }
    printError(`jane: ${printable(reasonOf(error))}`)
    return 1
  }
}

/** Fills in defaults for a missing host or port. Returns undefined if the text is not HOST:PORT. */
function authorityOf(text: string): string | undefined {
  const match = /^(\[[^\]]+\]|[^:/?#@\\\s]+)?(?::(\d{1,5}))?$/.exec(text)
  if (!match) return undefined
  const [, host = DEFAULT_HOST, port = DEFAULT_PORT] = match
  const authority = `${host}:${port}`
  return URL.canParse(`ws://${authority}`) ? authority : undefined
}

function makeToken(flags: JaneFlags, env: JaneContext['env']): Promise<string> {
  const signature = readSignature(flags, env)
  if (typeof signature === 'string') throw usageError(JANE, signature)
  const claims = flags.info ? { api: true } : { read: [flags.c], write: [flags.c] }
  return signToken(claims, signature)
}

interface Chat {
  readonly url: string
  readonly token: string
  readonly channel: string
  readonly streams: Streams
}

async function chat({ url, token, channel, streams }: Chat): Promise<number> {
  const ending = new Ending(streams)
  const terminal = openTerminal(streams, () => ending.onSignal('SIGINT'))
  const receiver = new Receiver(terminal, channel)
  const connection = new JaneConnection({
    // With `errors=1` this server reports rejected lines. Philote itself ignores the parameter.
    url: `${url}/?errors=1`,
    token,
    onText: (text) => receiver.onText(text),
    onStatus: (sentence) => terminal.note(printable(sentence)),
  })
  const connectAndSend = async (): Promise<number> => {
    await connection.open()
    terminal.note(printable(`connected to ${url}, channel ${channel}`))
    return Promise.race([connection.keepConnected(), sendLines()])
  }
  const sendLines = async (): Promise<number> => {
    for await (const line of terminal.lines) await connection.send(channel, line)
    await connection.settle()
    return connection.inDoubt + receiver.rejectedLines === 0 ? 0 : 1
  }
  try {
    return await Promise.race([ending.code, connectAndSend()])
  } finally {
    terminal.close()
    await connection.close()
    ending.stop()
  }
}

/** Shows what the server sends. */
class Receiver {
  /** Number of lines that the server rejected. */
  rejectedLines = 0

  constructor(
    private readonly terminal: Terminal,
    private readonly channel: string,
  ) {}

  onText(text: string): void {
    const error = errorIn(text)
    if (error !== undefined) {
      this.rejectedLines++
      this.terminal.note(printable(`the server rejected a line: ${error}`))
      return
    }
    const message = readMessage(text, JWT_FIELDS)
    if (!message)
      return this.terminal.note(printable(`the server sent an invalid message: ${text}`))
    const { issuer, channel, data } = message
    // A token given with -t may read other channels too.
    const where = channel === this.channel ? '' : ` [${channel}]`
    this.terminal.show(printable(`${shortIssuer(issuer)}${where}: ${data}`))
  }
}

function errorIn(text: string): string | undefined {
  const [, error] = /^\{"error":"([^"]*)"/.exec(text) ?? []
  return error
}

/** Shortens an id to what is needed to distinguish people. Keeps names as they are. */
const shortIssuer = (issuer: string): string =>
  /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(issuer) ? issuer.slice(0, 8) : issuer

/** Ends the chat on a signal, or when the reader of the output has closed the pipe. */
class Ending {
  /** Resolves with the exit code. Rejects if the output fails for another reason. */
  readonly code: Promise<number>
  #end: (code: number) => void = () => {}

  constructor({ stdout, stderr }: Streams) {
    this.code = new Promise((resolve, reject) => {
      this.#end = resolve
      const onError = (error: NodeJS.ErrnoException): void =>
        error.code === 'EPIPE' ? this.onSignal('SIGPIPE') : reject(error)
      stdout.on('error', onError)
      stderr.on('error', onError)
    })
    for (const signal of ENDING_SIGNALS) process.on(signal, this.onSignal)
  }

  readonly onSignal = (signal: NodeJS.Signals): void => this.#end(128 + constants.signals[signal])

  /** Removes the signal handlers. */
  stop(): void {
    for (const signal of ENDING_SIGNALS) process.off(signal, this.onSignal)
  }
}
