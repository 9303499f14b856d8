/** `philote-admin`: access keys and messages of Philote 0.1, called and answering as its own tool; and tokens for 0.3. */
import { INTEGER } from '../config/philote-environment.ts'
import { reasonOf } from '../lib/reason.ts'
import { KEY_PREFIX } from '../philote/access-keys.ts'
import { messageJson } from '../philote/frames.ts'
import { CHANNEL_PREFIX } from '../philote/redis-bus.ts'
import { askRedis } from './ask-redis.ts'
import { UsageError, helpOf, misuse, readFlags } from './flags.ts'
import { SIGNING_FLAGS, readSignature, signToken } from './token.ts'
import type { AccessKey } from '../philote/access-keys.ts'
import type { Flags, Usage } from './flags.ts'
import type { Voice } from './running.ts'

type Environment = Readonly<Record<string, string | undefined>>
/** Answers what is printed. */
type Command = (argv: readonly string[], env: Environment) => Promise<string>

const DEFAULT_CHANNEL = 'test-channel'
const USAGE = 'Usage: philote-admin [create-key|publish|token] <flags>'

const CREATE_KEY = {
  summary:
    'philote-admin create-key: stores an access key in the Redis of REDIS_URL, and prints its token',
  flags: {
    token: { value: 'TOKEN', about: 'the token; without it, a new one' },
    read: { value: 'A,B', about: 'channels that may be read', default: DEFAULT_CHANNEL },
    write: { value: 'A,B', about: 'channels that may be written', default: DEFAULT_CHANNEL },
    'allowed-uses': {
      value: 'N',
      about: 'how often it opens a connection; 0: no limit',
      default: '0',
    },
  },
} as const satisfies Usage<Flags>

const PUBLISH = {
  summary:
    'philote-admin publish: publishes a message on the Redis of REDIS_URL, and prints how many listened',
  flags: {
    channel: { value: 'NAME', about: 'the channel', default: DEFAULT_CHANNEL },
    data: { value: 'TEXT', about: 'what is said', default: 'Hello from philote-cli!' },
  },
} as const satisfies Usage<Flags>

const TOKEN = {
  summary:
    'philote-admin token: prints a token for a server with a SECRET; it allows what is named, and nothing else',
  flags: {
    ...SIGNING_FLAGS,
    read: { value: 'A,B', about: 'channels that may be read', default: '' },
    write: { value: 'A,B', about: 'channels that may be written', default: '' },
    api: { about: 'whether /api/info may be asked' },
    expires: {
      value: 'TIME',
      about: 'how long it opens connections, such as 90s, 1h30m or 7d; without it, for ever',
    },
  },
} as const satisfies Usage<Flags>

const COMMANDS: ReadonlyMap<string | undefined, Command> = new Map([
  ['create-key', createKey],
  ['publish', publish],
  ['token', printToken],
])

/**
 * Runs one of its commands and gives the exit code. 1: no such command, or Redis failed; the reason is on standard
 * output, as scripts expect it. 2: flags that are not right; the reason is on standard error. Of the environment
 * `REDIS_URL` is read, and `SECRET` by `token`.
 */
export async function philoteAdmin(
  [name, ...argv]: readonly string[],
  env: Environment,
  { print, tell }: Voice,
): Promise<number> {
  if (name !== undefined && /^--?h(elp)?$/.test(name)) {
    print([USAGE, ...[CREATE_KEY, PUBLISH, TOKEN].map(helpOf)].join('\n\n'))
    return 0
  }
  const command = COMMANDS.get(name)
  if (!command) {
    print(USAGE)
    return 1
  }
  try {
    print(await command(argv, env))
    return 0
  } catch (error) {
    if (error instanceof UsageError) {
      tell(error.message)
      return error.status
    }
    print(reasonOf(error))
    return 1
  }
}

async function createKey(argv: readonly string[], env: Environment): Promise<string> {
  const flags = readFlags(CREATE_KEY, argv)
  const uses = INTEGER.read(flags['allowed-uses'])
  if (uses === undefined)
    throw misuse(CREATE_KEY, `flag -allowed-uses: expected ${INTEGER.expected}`)
  const token = flags.token ?? crypto.randomUUID()
  // Stored as it is written here: the fields have an order that scripts may know.
  const key: AccessKey = {
    read: namesIn(flags.read),
    write: namesIn(flags.write),
    allowed_uses: uses,
    uses: 0,
  }
  await askRedis(env['REDIS_URL'], ['SET', KEY_PREFIX + token, JSON.stringify(key)])
  return token
}

async function publish(argv: readonly string[], env: Environment): Promise<string> {
  const { channel, data } = readFlags(PUBLISH, argv)
  const text = messageJson({ id: '', issuer: 'philote-cli', channel, data, event: 'message' })
  return String(await askRedis(env['REDIS_URL'], ['PUBLISH', CHANNEL_PREFIX + channel, text]))
}

async function printToken(argv: readonly string[], env: Environment): Promise<string> {
  const flags = readFlags(TOKEN, argv)
  const signature = readSignature(flags, env)
  if (typeof signature === 'string') throw misuse(TOKEN, signature)
  const claims = { read: namesIn(flags.read), write: namesIn(flags.write), api: flags.api }
  if (flags.expires === undefined) return signToken(claims, signature)
  const seconds = secondsIn(flags.expires)
  if (seconds === undefined)
    throw misuse(TOKEN, 'flag -expires: expected a time such as 90s, 1h30m or 7d')
  return signToken({ ...claims, exp: Math.floor(Date.now() / 1000) + seconds }, signature)
}

/** Nothing is trimmed: any text is the name of a channel. */
const namesIn = (list: string): string[] => (list === '' ? [] : list.split(','))

/** Undefined: it is no time, or none at all. */
function secondsIn(text: string): number | undefined {
  const parts = /^(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s)?$/.exec(text)
  if (!parts) return undefined
  const [days, hours, minutes, seconds] = parts.slice(1).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
  ]
  return ((days * 24 + hours) * 60 + minutes) * 60 + seconds || undefined
}
