import { Backend, pause } from '../helpers/http.ts'
import { ServerProcess } from '../helpers/process.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { ON_DISK, RedisServer } from '../helpers/redis.ts'
import { TcpProxy } from '../helpers/tcp-proxy.ts'
import type { Answer } from '../helpers/http.ts'
import type { Chance } from './random.ts'

/** A frozen server does not answer. After this time, the caller tries another one. */
const CALL_PATIENCE_MS = 4_000
const RETRY_MS = 100
/** Answers to retry, given when a server is cut off, frozen or gone. */
const PASSING = new Set([409, 503])

/** Servers on one Redis, each with its own network to it. */
export class Fleet {
  readonly members: Member[] = []
  #isOver = false

  private constructor(readonly redis: RedisServer) {}

  static async start(count: number): Promise<Fleet> {
    const fleet = new Fleet(await RedisServer.start(ON_DISK))
    const redis_prefix = freshPrefix()
    for (let number = 0; number < count; number++) {
      const network = await TcpProxy.start(fleet.redis.port)
      const member = new Member(network, redis_prefix)
      await member.start()
      fleet.members.push(member)
    }
    return fleet
  }

  /** Picks a running server, healthy or not, like a load balancer. */
  any(chance: Chance): ServerProcess {
    const up = this.members.flatMap(({ process }) => (process ? [process] : []))
    return chance.pick(up)
  }

  /** Retries until the answer is 200, with an idempotency key, so that the request runs only once. */
  async call<Body>(chance: Chance, line: string, json: unknown): Promise<Body> {
    const headers = { 'idempotency-key': crypto.randomUUID() }
    for (;;) {
      if (this.#isOver) throw new Error(`${line}: the test is over`)
      const answer = await this.#tryCall(this.any(chance), line, { headers, json })
      if (answer?.status === 200) return answer.body as Body
      if (answer && !PASSING.has(answer.status))
        throw new Error(`${line}: ${answer.status} ${answer.text.slice(0, 300)}`)
      await pause(RETRY_MS)
    }
  }

  async #tryCall(
    server: ServerProcess,
    line: string,
    sending: { readonly headers: Record<string, string>; readonly json: unknown },
  ): Promise<Answer | undefined> {
    const signal = AbortSignal.timeout(CALL_PATIENCE_MS)
    try {
      return await new Backend(server).send(line, { ...sending, signal })
    } catch {
      return undefined // unreachable, or lost before it answered: retries at another server
    }
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.members.map((member) => member.stop()))
    await this.redis.stop()
  }
}

/** One server, which may be down, with its network. */
export class Member {
  process: ServerProcess | undefined

  constructor(
    readonly network: TcpProxy,
    private readonly prefix: string,
  ) {}

  async start(): Promise<void> {
    this.process = await ServerProcess.start({
      settings: {
        redis_url: `redis://127.0.0.1:${this.network.port}`,
        redis_prefix: this.prefix,
        redis_timeout: 2,
        // A Redis with much data on disk starts slowly.
        redis_connect_timeout: 60,
        heartbeat_interval: 1,
        wake_connections_after: 1,
        // Connections must not expire, no matter how late a client reconnects.
        gc_conns_after: 600,
        resume_window: 600,
        channel_frames: 5_000,
        user_frames: 5_000,
      },
    })
  }

  /** Stops it: at once with `SIGKILL`, gracefully with `SIGTERM`. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const { process } = this
    this.process = undefined
    if (!process) return
    process.signal(signal)
    await process.exited
    await process.kill()
  }

  async stop(): Promise<void> {
    // A frozen process would not handle the signal.
    this.process?.signal('SIGCONT')
    await this.end('SIGKILL')
    await this.network.stop()
  }
}
