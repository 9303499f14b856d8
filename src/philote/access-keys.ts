import { asInteger, asTexts, foldName, memberTextsOf, readStruct } from './go-json.ts'
import { KEY_REFUSALS } from './refusals.ts'
import type { ChannelName } from '../protocol/ids.ts'
import type { Fields } from './go-json.ts'
import type { RedisConnection } from './redis-connection.ts'
import type { Permissions } from './token.ts'

export const KEY_PREFIX = 'philote:access_key:'

/** An access key as it lies in Redis. */
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
 * Puts a new value in place of the one that was read, unless it has changed since; the expiry stays. JSON is changed
 * here and not by Redis, whose Lua cannot tell an empty list from an empty object.
 */
const REPLACE = `
  if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
  local left = redis.call('PTTL', KEYS[1])
  redis.call('SET', KEYS[1], ARGV[2])
  if left > 0 then redis.call('PEXPIRE', KEYS[1], left) end
  return 1`

/** Several servers may count uses of one key. More rounds than this and it is no contest any more. */
const MAX_ROUNDS = 100

/** Looks up tokens, and counts the uses of keys that are limited. */
export class AccessKeys {
  /** The last use that was asked for of each limited key: one after the other, so that they need not compete. */
  readonly #turns = new Map<string, Promise<unknown>>()

  constructor(private readonly redis: Pick<RedisConnection, 'command'>) {}

  /** What the token allows; a text is what refuses it. Rejects with what went wrong with Redis. */
  async use(token: string): Promise<Permissions | string> {
    const name = KEY_PREFIX + token
    const found = await this.#look(name)
    if (typeof found === 'string') return found
    if (found.key.allowed_uses === 0) return permissionsOf(found.key)
    const turn = (this.#turns.get(name) ?? Promise.resolve()).then(() => this.#count(name))
    const settled = turn.then(nothing, nothing)
    this.#turns.set(name, settled)
    try {
      return await turn
    } finally {
      if (this.#turns.get(name) === settled) this.#turns.delete(name)
    }
  }

  async #look(name: string): Promise<{ readonly text: string; readonly key: AccessKey } | string> {
    const text = await this.redis.command('GET', name)
    if (typeof text !== 'string') return KEY_REFUSALS.unknown
    if (text === '') return KEY_REFUSALS.empty
    const key = readStruct(text, FIELDS, NO_KEY)
    return key ? { text, key } : KEY_REFUSALS.invalid
  }

  async #count(name: string): Promise<Permissions | string> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const found = await this.#look(name)
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

/** The same JSON with another number of uses. Everything else stays as it is written. */
function withUses(text: string, uses: number): string {
  const others = memberTextsOf(text).filter(([name]) => foldName(name) !== 'uses')
  const members = [...others, ['uses', String(uses)] as const]
  return `{${members.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(',')}}`
}
