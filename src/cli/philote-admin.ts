/** `philote-admin`: access keys and messages of Philote 0.1, compatible with Philote's own tool, and tokens for 0.3. */
import { INTEGER } from '../config/philote-environment.ts'
import { reasonOf } from '../lib/reason.ts'
import { KEY_PREFIX } from '../philote/access-keys.ts'
import { messageJson } from '../philote/frames.ts'
import { CHANNEL_PREFIX } from '../philote/redis-bus.ts'
import { askRedis } from './ask-redis.ts'
import { UsageError, helpOf, readFlags, usageError } from './flags.ts'
import { SIGNING_FLAGS, readSignature, signToken } from './token.ts'
import type { AccessKey } from '../philote/access-keys.ts'
import type { Flags, Usage } from './flags.ts'
import type { Output } from './running.ts'

type Environment = Readonly<Record<string, string | undefined>>
/** Resolves with the text to print. */
type Command = (argv: readonly string[], env: Environment) => Promise<string>

const DEFAULT_CHANNEL = 'test-channel'
const USAGE = 'Usage: philote-admin [create-key|publish|token] <flags>'

const CREATE_KEY = {
  summary:
    'philote-admin create-key: stores an access key in the Redis at REDIS_URL, and prints its token',
  flags: {
    token: { value: 'TOKEN', about: 'the token; if omitted, a random one' },
    read: { value: 'A,B', about: 'channels that the key may read', default: DEFAULT_CHANNEL },
    write: { value: 'A,B', about: 'channels that the key may write', default: DEFAULT_CHANNEL },
    'allowed-uses': {
      value: 'N',
      about: 'number of connections that the key may open; 0: no limit',
      default: '0',
    },
  },
} as const satisfies Usage<Flags>

const PUBLISH = {
  summary:
    'philote-admin publish: publishes a message in the Redis at REDIS_URL, and prints the number of subscribers',
  flags: {
    channel: { value: 'NAME', about: 'the channel', default: DEFAULT_CHANNEL },
    data: { value: 'TEXT', about: 'the text of the message', default: 'Hello from philote-cli!' },
  },
} as const satisfies Usage<Flags>

const TOKEN = {
  summary:
    'philote-admin token: prints a token for a server with a SECRET; the token allows only what the flags name',
  flags: {
    ...SIGNING_FLAGS,
    read: { value: 'A,B', about: 'channels that the token may read', default: '' },
    write: { value: 'A,B', about: 'channels that the token may write', default: '' },
    api: { about: 'allow access to /api/info' },
    expires: {
      value: 'TIME',
      about:
        'how long the token can open connections, such as 90s, 1h30m or 7d; if omitted, forever',
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
  { print, printError }: Output,
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
      printError(error.message)
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
    throw usageError(CREATE_KEY, `flag -allowed-uses: expected ${INTEGER.expected}`)
  const token = flags.token ?? crypto.randomUUID()
  // Keep the order of the fields: it is the order in the stored JSON, and scripts may depend on it.
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
  if (typeof signature === 'string') throw usageError(TOKEN, signature)
  const claims = { read: namesIn(flags.read), write: namesIn(flags.write), api: flags.api }
  if (flags.expires === undefined) return signToken(claims, signature)
  const seconds = secondsIn(flags.expires)
  if (seconds === undefined)
    throw usageError(TOKEN, 'flag -expires: expected a time such as 90s, 1h30m or 7d')
  return signToken({ ...claims, exp: Math.floor(Date.now() / 1000) + seconds }, signature)
}

/** Splits a list of channels. Does not trim names: any text can be the name of a channel. */
const namesIn = (list: string): string[] => (list === '' ? [] : list.split(','))

/** Returns undefined if the text is not a duration, or is zero. */
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
