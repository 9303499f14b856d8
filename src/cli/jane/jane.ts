/** `jane`: a chat in the terminal, with a server that speaks Philote 0.3. */
import { constants } from 'node:os'
import { reasonOf } from '../../lib/reason.ts'
import { JWT_FIELDS, readMessage } from '../../philote/incoming.ts'
import { askInfo } from '../answer.ts'
import { UsageError, misuse, readFlags } from '../flags.ts'
import { printable } from '../printable.ts'
import { SIGNING_FLAGS, readSignature, signToken } from '../token.ts'
import { JaneConnection } from './connection.ts'
import { openTerminal } from './terminal.ts'
import type { FlagValues, Flags, Usage } from '../flags.ts'
import type { Voice } from '../running.ts'
import type { Streams, Terminal } from './terminal.ts'

const DEFAULT_HOST = '127.0.0.1'
const DEFAULT_PORT = '6380'

const JANE = {
  summary:
    'jane: a chat in the terminal. What is typed or piped in is said in the channel, line by line; what others say is shown.',
  flags: {
    ...SIGNING_FLAGS,
    p: { value: 'HOST:PORT', about: 'the server', default: `${DEFAULT_HOST}:${DEFAULT_PORT}` },
    c: { value: 'CHANNEL', about: 'the channel', default: 'test-channel' },
    t: { value: 'TOKEN', about: 'a token that is there, instead of one made with the secret' },
    secure: { about: 'over TLS: wss, https' },
    info: { about: 'print what /api/info tells about the server, and end' },
  },
} as const satisfies Usage<Flags>

type JaneFlags = FlagValues<(typeof JANE)['flags']>

/** What {@link jane} needs of the process. */
export interface JaneContext extends Voice {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly streams: Streams
}

const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Chats, and gives the exit code. 0: everything that was said has been read by the server. 1: the first connection
 * failed, the token was refused, or a line may not have arrived. 2: it was called wrong. 128 and the number of a signal:
 * that one ended it, SIGPIPE where nobody reads its output any more.
 */
export async function jane(argv: readonly string[], context: JaneContext): Promise<number> {
  const { env, streams, print, tell } = context
  try {
    const flags = readFlags(JANE, argv)
    const authority = authorityOf(flags.p)
    if (authority === undefined) throw misuse(JANE, 'flag -p: expected HOST:PORT')
    const token = flags.t ?? (await makeToken(flags, env))
    const scheme = flags.secure ? 's' : ''
    if (!flags.info)
      return await chat({ url: `ws${scheme}://${authority}`, token, channel: flags.c, streams })
    const info = await askInfo(`http${scheme}://${authority}`, token)
    for (const line of JSON.stringify(info, null, 2).split('\n')) print(printable(line))
    return 0
  } catch (error) {
    if (error instanceof UsageError) {
      tell(error.message)
      return error.status
    }
    tell(`jane: ${printable(reasonOf(error))}`)
    return 1
  }
}

/** What is left out is as by default. Undefined: it is no host with a port. */
function authorityOf(text: string): string | undefined {
  const match = /^(\[[^\]]+\]|[^:/?#@\\\s]+)?(?::(\d{1,5}))?$/.exec(text)
  if (!match) return undefined
  const [, host = DEFAULT_HOST, port = DEFAULT_PORT] = match
  const authority = `${host}:${port}`
  return URL.canParse(`ws://${authority}`) ? authority : undefined
}

function makeToken(flags: JaneFlags, env: JaneContext['env']): Promise<string> {
  const signature = readSignature(flags, env)
  if (typeof signature === 'string') throw misuse(JANE, signature)
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
  const listener = new Listener(terminal, channel)
  const link = new JaneConnection({
    // This server then says what it does not take; Philote itself passes over it.
    url: `${url}/?errors=1`,
    token,
    onText: (text) => listener.heard(text),
    onNews: (sentence) => terminal.note(printable(sentence)),
  })
  const talk = async (): Promise<number> => {
    await link.open()
    terminal.note(printable(`connected to ${url}, channel ${channel}`))
    return Promise.race([link.keep(), say()])
  }
  const say = async (): Promise<number> => {
    for await (const line of terminal.lines) await link.send(channel, line)
    await link.settle()
    return link.inDoubt + listener.complaints === 0 ? 0 : 1
  }
  try {
    return await Promise.race([ending.code, talk()])
  } finally {
    terminal.close()
    await link.close()
    ending.stop()
  }
}

/** Shows what the server says. */
class Listener {
  /** How many lines the server did not take. */
  complaints = 0

  constructor(
    private readonly terminal: Terminal,
    private readonly channel: string,
  ) {}

  heard(text: string): void {
    const complaint = complaintIn(text)
    if (complaint !== undefined) {
      this.complaints++
      this.terminal.note(printable(`the server did not take a line: ${complaint}`))
      return
    }
    const message = readMessage(text, JWT_FIELDS)
    if (!message)
      return this.terminal.note(printable(`the server said what is no message: ${text}`))
    const { issuer, channel, data } = message
    // A token that was given may read more than one.
    const where = channel === this.channel ? '' : ` [${channel}]`
    this.terminal.show(printable(`${shortIssuer(issuer)}${where}: ${data}`))
  }
}

function complaintIn(text: string): string | undefined {
  const [, error] = /^\{"error":"([^"]*)"/.exec(text) ?? []
  return error
}

/** Enough of an id to tell people apart; names stay as they are. */
const shortIssuer = (issuer: string): string =>
  /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(issuer) ? issuer.slice(0, 8) : issuer

/** What ends a chat from outside: a signal, or that nobody reads standard output any more. */
class Ending {
  /** The exit code. Rejects if standard output fails otherwise. */
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

  /** Signals do again what they did before. */
  stop(): void {
    for (const signal of ENDING_SIGNALS) process.off(signal, this.onSignal)
  }
}
