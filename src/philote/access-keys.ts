import { asInteger, asTexts, foldName, memberTextsOf, readStruct } from './go-json.ts'
import { KEY_REFUSALS } from './refusals.ts'
import type { ChannelName } from '../protocol/ids.ts'
import type { Fields } from './go-json.ts'
import type { RedisConnection } from './redis-connection.ts'
import type { Permissions } from './token.ts'

export const KEY_PREFIX = 'philote:access_key:'

/** An access key as it is stored in Redis. */
export interface AccessKey {
  readonly read: readonly string[]
  readonly write: readonly string[]
  /** 0: no limit, and uses are not counted. */
  readonly allowed_uses: number
  readonly uses: number
}

const NO_KEY: AccessKey = { read: [], write: [], allowed_uses: 0, uses: 0 }
const FIELDS: Fields = new Map([
  ['read', asTexts],
  ['write', asTexts],
  ['allowed_uses', asInteger],
  ['uses', asInteger],
])

/**
 * Replaces the value that was read, unless it has changed since, and keeps its expiry. The JSON is changed in this
 * process and not in Redis, because Redis's Lua cannot distinguish an empty list from an empty object.
 */
const REPLACE = `
  if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
  local left = redis.call('PTTL', KEYS[1])
  redis.call('SET', KEYS[1], ARGV[2])
  if left > 0 then redis.call('PEXPIRE', KEYS[1], left) end
  return 1`

/** Retries when several servers count uses of one key at the same time. More conflicts than this have another cause. */
const MAX_ROUNDS = 100

/** Looks up access keys by token, and counts the uses of limited keys. */
export class AccessKeys {
  /** The last pending use of each limited key. Uses run one after the other, to avoid conflicts within this process. */
  readonly #pendingUses = new Map<string, Promise<unknown>>()

  constructor(private readonly redis: Pick<RedisConnection, 'command'>) {}

  /** Resolves with what the token allows, or with a refusal as text. Rejects with errors of Redis. */
  async use(token: string): Promise<Permissions | string> {
    const name = KEY_PREFIX + token
    const found = await this.#lookUp(name)
    if (typeof found === 'string') return found
    if (found.key.allowed_uses === 0) return permissionsOf(found.key)
    const use = (this.#pendingUses.get(name) ?? Promise.resolve()).then(() => this.#countUse(name))
    const settled = use.then(nothing, nothing)
    this.#pendingUses.set(name, settled)
    try {
      return await use
    } finally {
      if (this.#pendingUses.get(name) === settled) this.#pendingUses.delete(name)
    }
  }

  async #lookUp(
    name: string,
  ): Promise<{ readonly text: string; readonly key: AccessKey } | string> {
    const text = await this.redis.command('GET', name)
    if (typeof text !== 'string') return KEY_REFUSALS.unknown
    if (text === '') return KEY_REFUSALS.empty
    const key = readStruct(text, FIELDS, NO_KEY)
    return key ? { text, key } : KEY_REFUSALS.invalid
  }

  async #countUse(name: string): Promise<Permissions | string> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const found = await this.#lookUp(name)
      if (typeof found === 'string') return found
      const { text, key } = found
      if (key.allowed_uses === 0) return permissionsOf(key)
      if (key.uses >= key.allowed_uses) return KEY_REFUSALS.depleted
      const counted = withUses(text, key.uses + 1)
      if ((await this.redis.command('EVAL', REPLACE, '1', name, text, counted)) === 1)
        return permissionsOf(key)
    }
    return KEY_REFUSALS.contested
  }
}

const nothing = (): void => {}

const permissionsOf = ({ read, write }: AccessKey): Permissions => ({
  read: [...new Set(read)] as ChannelName[],
  write: new Set(write),
  api: false,
})

/** Returns the same JSON with another number of uses. Everything else keeps its spelling. */
function withUses(text: string, uses: number): string {
  const others = memberTextsOf(text).filter(([name]) => foldName(name) !== 'uses')
  const members = [...others, ['uses', String(uses)] as const]
  return `{${members.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(',')}}`
}
