import { reasonOf } from '../../lib/reason.ts'
import { StoreUnavailable } from '../store.ts'
import type { Connection } from './connection.ts'
import type { Reply } from './encoding.ts'
import type { Keys } from './keys.ts'
import type { ReconnectingConnection } from './reconnecting-connection.ts'
import type { Script, ScriptName } from './scripts.ts'
import type { SharedClock } from './shared-clock.ts'

interface ScriptRunnerDeps {
  readonly redis: ReconnectingConnection
  readonly keys: Keys
  readonly scripts: Readonly<Record<ScriptName, Script>>
  /** The time for deadlines, and the calendar for people. */
  readonly clock: SharedClock
}

/** Runs scripts in Redis, with the name of this server, the epoch and the time. */
export class ScriptRunner {
  #server = newName()
  /** Empty before `enter`. */
  epoch = ''

  constructor(private readonly deps: ScriptRunnerDeps) {}

  /** The name of this server in Redis. */
  get server(): string {
    return this.#server
  }

  /** Gives this server a new name. Others presumed the old name dead and released its connections. */
  rename(): void {
    this.#server = newName()
  }

  get keys(): Keys {
    return this.deps.keys
  }

  /** Rejects with `StoreUnavailable` while Redis is unavailable, or if it has lost the epoch of this server. */
  async run(name: ScriptName, ...args: readonly (string | number)[]): Promise<Reply> {
    const { redis, scripts } = this.deps
    try {
      return await redis.script(scripts[name], this.#full(args))
    } catch (error) {
      if (!reasonOf(error).startsWith('EPOCH')) throw error
      redis.cut(error)
      throw new StoreUnavailable({ cause: error })
    }
  }

  /** Runs a script on a connection that is still being set up. */
  async runOn(
    connection: Connection,
    name: ScriptName,
    ...args: readonly (string | number)[]
  ): Promise<Reply> {
    return connection.script(this.deps.scripts[name], this.#full(args))
  }

  /** Registers on a new connection. Resolves with the number of the newest event, and whether the epoch has changed. */
  async enter(
    connection: Connection,
    known: number,
  ): Promise<{ readonly head: number; readonly isNew: boolean }> {
    const fresh = crypto.randomUUID().replaceAll('-', '').slice(0, 12)
    const { scripts, keys } = this.deps
    await connection.load(Object.values(scripts))
    const args = ['1', keys.root, connection.run, fresh, this.epoch, String(known)]
    const [epoch, head] = (await connection.script(scripts.enter, args)) as [string, number]
    const isNew = this.epoch !== '' && this.epoch !== epoch
    this.epoch = epoch
    return { head, isNew }
  }

  #full(args: readonly (string | number)[]): string[] {
    const { keys, clock } = this.deps
    const [calendar, estimate] = [String(clock.calendar()), String(clock.estimate())]
    return ['1', keys.root, calendar, this.server, this.epoch, estimate, ...args.map(String)]
  }
}

/**
 * Short, because each connection in Redis contains it. The first letter tells the scripts that this server knows
 * histories in sorted sets: names of older versions were the beginning of a UUID.
 */
const newName = (): string => `s${crypto.randomUUID().replaceAll('-', '').slice(0, 12)}`
