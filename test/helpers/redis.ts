import { spawn } from 'node:child_process'
import { appendFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RedisClient as Library } from '@redis/client'
import { ensurePackages } from './debian-packages.ts'
import { until, within } from './http.ts'
import { freePort } from './ports.ts'
import type { ChildProcess } from 'node:child_process'
import type { RedisClientType, TypeMapping } from '@redis/client'

const REDIS_SERVER = '/usr/bin/redis-server'
const READY = /Ready to accept connections|Sentinel ID is/

/** Settings of Redis, by their names in its configuration file. */
export type RedisSettings = Readonly<Record<string, string>>

/** Nothing that Redis has acknowledged is lost, even if it is killed. */
export const ON_DISK: RedisSettings = { appendonly: 'yes', appendfsync: 'always' }

const running = new Set<RedisServer>()

/** Stops all Redis servers that a file of tests has started. */
export async function stopRedisServers(): Promise<void> {
  await Promise.all([...running].map((server) => server.stop()))
}

/** Debian's Redis for tests, on a free loopback port, without persistence unless requested. */
export class RedisServer {
  readonly #directory = mkdtempSync(join(tmpdir(), 'channelstream-redis-'))
  #child: ChildProcess | undefined
  #output = ''

  private constructor(
    readonly port: number,
    private readonly settings: RedisSettings,
    private readonly isSentinel = false,
  ) {}

  /** Starts a Sentinel. It monitors other Redis servers, which must be configured. */
  static async startSentinel(): Promise<RedisServer> {
    await ensurePackages('redis-server')
    const server = new RedisServer(await freePort(), {}, true)
    await server.restart()
    return server
  }

  /** Resolves once it answers. Installs Debian's package if it is missing and can be installed. */
  static async start(settings: RedisSettings = {}): Promise<RedisServer> {
    await ensurePackages('redis-server')
    const server = new RedisServer(await freePort(), settings)
    await server.restart()
    return server
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** Changes a setting. Takes effect at the next start. */
  set(name: string, value: string): void {
    appendFileSync(join(this.#directory, 'redis.conf'), `${name} ${value}\n`)
  }

  /** Removes its directory, so that it cannot write snapshots. */
  loseDirectory(): void {
    rmSync(this.#directory, { recursive: true })
  }

  /** Freezes it, so that it stops answering. */
  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  /** Restarts it on the same port, with its data on disk. Resolves once it answers. */
  async restart(): Promise<void> {
    await this.halt()
    running.add(this)
    const child = spawn(REDIS_SERVER, this.#arguments(), { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.on('data', (part: Buffer) => (this.#output += part.toString()))
    child.stderr.on('data', (part: Buffer) => (this.#output += part.toString()))
    this.#child = child
    this.#output = ''
    await until(() => READY.test(this.#output) || child.exitCode !== null, 'Redis to start')
    if (child.exitCode !== null) throw new Error(`Redis did not start:\n${this.#output}`)
  }

  /** Uses a configuration file, because Sentinels store their state in it. */
  #arguments(): string[] {
    const common = { port: this.port, bind: '127.0.0.1', dir: this.#directory }
    const settings = this.isSentinel
      ? common
      : { ...common, save: '""', appendonly: 'no', ...this.settings }
    const lines = Object.entries(settings).map(([name, value]) => `${name} ${value}\n`)
    const file = join(this.#directory, 'redis.conf')
    if (!existsSync(file)) writeFileSync(file, lines.join(''))
    return [file, ...(this.isSentinel ? ['--sentinel'] : [])]
  }

  /** Kills it, so that its port is closed. */
  async halt(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (!child || child.exitCode !== null) return
    const exited = new Promise<void>((resolve) => void child.once('exit', () => resolve()))
    child.kill('SIGKILL')
    await within(exited, 'Redis to end')
  }

  /** Opens a connection, which the caller must destroy. */
  async client(database = 0): Promise<RedisClient> {
    const client: RedisClient = newClient<TypeMapping>({ url: this.url, database })
    client.on('error', () => {}) // commands fail with it
    await client.connect()
    return client
  }

  /** Stops it and removes its data. */
  async stop(): Promise<void> {
    running.delete(this)
    await this.halt()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

type Modules = Record<string, never>
/** `createClient` would create a class for each port, which takes tens of milliseconds. */
const newClient = Library.factory<Modules, Modules, Modules, 3>({ RESP: 3 })
export type RedisClient = RedisClientType<Modules, Modules, Modules, 3, TypeMapping>
