import { mkdtempSync, rmSync } from 'node:fs'
import { createClient } from '@redis/client'
import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './ports.ts'
import { ensurePackages } from './debian-packages.ts'
import { until, within } from './http.ts'
import type { ChildProcess } from 'node:child_process'
import type { RedisClientType, TypeMapping } from '@redis/client'

const REDIS_SERVER = '/usr/bin/redis-server'

/** A Redis of the tests' own: Debian's, on a free port of loopback, with nothing on disk. */
export class RedisServer {
  readonly #directory = mkdtempSync(join(tmpdir(), 'channelstream-redis-'))
  #child: ChildProcess | undefined
  #output = ''

  private constructor(readonly port: number) {}

  /** Resolves once it answers. Installs Debian's package where that is possible and needed. */
  static async start(): Promise<RedisServer> {
    await ensurePackages('redis-server')
    const server = new RedisServer(await freePort())
    await server.restart()
    return server
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** On the same port, with an empty memory; resolves once it answers. */
  async restart(): Promise<void> {
    await this.halt()
    const settings = { port: this.port, bind: '127.0.0.1', save: '', appendonly: 'no' }
    const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
    const child = spawn(REDIS_SERVER, [...flags, '--dir', this.#directory], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child.stdout.on('data', (part: Buffer) => (this.#output += part.toString()))
    child.stderr.on('data', (part: Buffer) => (this.#output += part.toString()))
    this.#child = child
    this.#output = ''
    await until(
      () => this.#output.includes('Ready to accept connections') || child.exitCode !== null,
      'Redis to start',
    )
    if (child.exitCode !== null) throw new Error(`Redis did not start:\n${this.#output}`)
  }

  /** Ends it, so that its port is closed. */
  async halt(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (!child || child.exitCode !== null) return
    const exited = new Promise<void>((resolve) => void child.once('exit', () => resolve()))
    child.kill('SIGKILL')
    await within(exited, 'Redis to end')
  }

  /** A connection to it, which its caller destroys. */
  async client(database = 0): Promise<RedisClient> {
    const client: RedisClient = createClient<Modules, Modules, Modules, 3, TypeMapping>({
      url: this.url,
      database,
    })
    client.on('error', () => {}) // commands fail with it
    await client.connect()
    return client
  }

  /** Ends it for good. */
  async stop(): Promise<void> {
    await this.halt()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

type Modules = Record<string, never>
export type RedisClient = RedisClientType<Modules, Modules, Modules, 3, TypeMapping>
