import { availableParallelism } from 'node:os'
import { secretsOf } from '../lib/secrets.ts'
import { jwtFrames } from './frames.ts'
import { bearerOf, decodedPathOf, refuseJwtHandshake } from './handshake.ts'
import { JWT_FIELDS, readMessage } from './incoming.ts'
import { JWT_REFUSALS } from './refusals.ts'
import { TokenChecker } from './token.ts'
import { guestMessageOf } from './translate.ts'
import type { IncomingMessage } from 'node:http'
import type { Guests } from '../core/sessions/guests.ts'
import type { Clock } from '../lib/clock.ts'
import type { Secrets } from '../lib/secrets.ts'
import type { Generation, ServerState, Decision } from './generation.ts'
import type { Dialect } from './socket.ts'

/** The version of Philote that this port behaves like. */
const PHILOTE_VERSION = '0.3.1'

export interface JwtOptions {
  /** The key that signs tokens. If it is empty, anybody can sign them. */
  readonly secret: string
  /** Other keys that tokens may be signed with. */
  readonly secretFallbacks: readonly string[]
  /** Whether browsers may connect from pages of other hosts. */
  readonly checkOrigin: boolean
  readonly maxConnections: number
  /** Only shown by the API. Node manages the buffers that this tunes in the original. */
  readonly readBufferSize: number
  readonly writeBufferSize: number
}

/** Philote 0.3: permissions in a signed token. */
export class JwtGeneration implements Generation {
  readonly dialect: Dialect
  readonly #tokens: TokenChecker
  readonly #startedAt: number

  constructor(
    private readonly options: JwtOptions,
    private readonly clock: Clock,
    guests: Guests,
  ) {
    const secrets = secretsOf(options.secret, options.secretFallbacks)
    this.#tokens = new TokenChecker(secrets, () => clock.wallTime())
    this.#startedAt = clock.now()
    this.dialect = {
      form: jwtFrames,
      read: (frame) => readMessage(frame, JWT_FIELDS),
      isStrict: true,
      publish: (guest, message) => guests.say(guest, guestMessageOf(message)),
    }
  }

  get maxConnections(): number {
    return this.options.maxConnections
  }

  changeSecrets(secrets: Secrets): void {
    this.#tokens.changeSecrets(secrets)
  }

  /** Picks none, whatever is offered. */
  pickProtocol(): false {
    return false
  }

  async evaluate(request: IncomingMessage, server: ServerState): Promise<Decision> {
    const checked = await this.#tokens.check(bearerOf(request))
    if ('refusal' in checked) return { answer: checked.refusal }
    const path = decodedPathOf(request.url)
    if (checked.api && path?.startsWith('/api') === true)
      return { answer: this.#api(request.method, path, server) }
    const answer = refuseJwtHandshake(request, this.options.checkOrigin)
    return answer ? { answer } : { permissions: checked }
  }

  #api(method: string | undefined, path: string, server: ServerState) {
    if (method !== 'GET' || path !== '/api/info') return JWT_REFUSALS.api
    return { status: 200, text: JSON.stringify(this.#info(server)) }
  }

  /** Fields, types and order are those of Philote. */
  #info({ port, connections }: ServerState) {
    const seconds = Math.floor((this.clock.now() - this.#startedAt) / 1000)
    const { maxConnections, readBufferSize, writeBufferSize, checkOrigin } = this.options
    return {
      version: PHILOTE_VERSION,
      go_arch: process.arch,
      go_os: process.platform,
      go_version: process.version,
      num_cpu: availableParallelism(),
      uptime_in_seconds: seconds,
      uptime_in_days: Math.floor(seconds / 86_400),
      tcp_port: String(port),
      pid: process.pid,
      connections,
      max_connections: maxConnections,
      read_buffer_size: readBufferSize,
      write_buffer_size: writeBufferSize,
      check_origin: checkOrigin,
    }
  }
}
