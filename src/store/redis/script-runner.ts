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
  /** What deadlines are by, and what people are shown. */
  readonly clock: SharedClock
}

/** What all servers on one Redis share, as seen by one of them: runs scripts there. */
export class ScriptRunner {
  #server = newName()
  /** Known after `enter`. */
  epoch = ''

  constructor(private readonly deps: ScriptRunnerDeps) {}

  /** What this server is called. */
  get server(): string {
    return this.#server
  }

  /** Others have taken the server of the old name for dead, and let go of what it held. */
  rename(): void {
    this.#server = newName()
  }

  get keys(): Keys {
    return this.deps.keys
  }

  /** Rejects with `StoreUnavailable` while Redis is not there, or has forgotten what this server relies on. */
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

  /** On a connection that is not ready for everybody yet. */
  async runOn(
    connection: Connection,
    name: ScriptName,
    ...args: readonly (string | number)[]
  ): Promise<Reply> {
    return connection.script(this.deps.scripts[name], this.#full(args))
  }

  /** A connection is made. Answers the number of the newest event, and whether this is another epoch than before. */
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

/** Short, because it stands in every connection. */
const newName = (): string => crypto.randomUUID().slice(0, 13)
