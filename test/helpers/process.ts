import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { Backend, until, within } from './http.ts'
import type { ChildProcess } from 'node:child_process'

export const MAIN = new URL('../../dist/main.js', import.meta.url).pathname
const START_PATIENCE_MS = 90_000

/**
 * With `TEST_STORE=disk` (`npm run test:disk`), servers without a Redis keep their data in a directory below their working
 * directory.
 */
const STORE_SETTINGS = process.env['TEST_STORE'] === 'disk' ? { data_dir: 'data' } : {}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface StartOptions {
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Settings, passed as environment variables. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>
  /** Files to create in the working directory, by name. */
  readonly files?: Readonly<Record<string, string>>
  /** Opens its standard input, for {@link ServerProcess.write}. Otherwise it has none. */
  readonly hasInput?: boolean
  /** Flags for Node. */
  readonly nodeArgs?: readonly string[]
  /** Opens an IPC channel, for {@link ServerProcess.send}. Otherwise there is none. */
  readonly hasChannel?: boolean
  /** An executable that is the server, instead of Node and `dist/`. */
  readonly executable?: string
  /** A program to run instead of the server, with its arguments. */
  readonly command?: readonly [string, ...string[]]
  /** The server may have uncaught errors. Otherwise they fail the test. */
  readonly mayFault?: boolean
}

/** The log entries of uncaught errors (`src/telemetry/faults.ts`). */
const FAULT =
  /^.*"msg":"(?:something failed in the background|a promise was rejected|an exception was not caught).*$/m

const running = new Set<ServerProcess>()

/** Call it after the tests of a file. Kills their remaining processes and removes their directories. */
export async function killProcesses(): Promise<void> {
  await Promise.all([...running].map((server) => server.kill()))
}

/** `channelstream` as users run it: a separate process from `dist/`, which `npm run build` creates. */
export class ServerProcess {
  stdout = ''
  stderr = ''
  exit: Exit | undefined
  readonly exited: Promise<Exit>
  readonly directory = mkdtempSync(join(tmpdir(), 'channelstream-test-'))
  readonly #child: ChildProcess
  readonly #mayFault: boolean

  private constructor({ env = {}, settings = {}, files = {}, ...options }: StartOptions) {
    for (const [name, text] of Object.entries(files))
      writeFileSync(join(this.directory, name), text)
    const { PATH, HOME } = process.env
    const { args = [], nodeArgs = [], hasInput = false, hasChannel = false } = options
    const { executable } = options
    const server = executable === undefined ? [process.execPath, ...nodeArgs, MAIN] : [executable]
    const { command = [...server, ...args] as [string, ...string[]] } = options
    const [program, ...words] = command
    this.#child = spawn(program, words, {
      cwd: this.directory,
      env: { PATH, HOME, ...variablesOf(settings), ...env },
      stdio: [
        hasInput ? 'pipe' : 'ignore',
        'pipe',
        'pipe',
        ...(hasChannel ? ['ipc' as const] : []),
      ],
    })
    this.#mayFault = options.mayFault ?? false
    this.#child.stdout?.on('data', (part: Buffer) => (this.stdout += part.toString()))
    this.#child.stderr?.on('data', (part: Buffer) => (this.stderr += part.toString()))
    this.exited = new Promise((resolve) => {
      this.#child.on('close', (code, signal) => resolve((this.exit = { code, signal })))
    })
    running.add(this)
  }

  /** Spawns it without waiting, to test what happens during the start. */
  static spawned(options: StartOptions): ServerProcess {
    return new ServerProcess(options)
  }

  /** Resolves once it listens, on a port chosen by the system. */
  static async start(options: StartOptions = {}): Promise<ServerProcess> {
    const args = ['--port', '0', ...(options.args ?? [])]
    const isOnRedis = options.settings?.['redis_url'] !== undefined
    const settings = { ...(isOnRedis ? {} : STORE_SETTINGS), ...options.settings }
    // The explorer is the last line on standard output; notes follow on standard error, in the same turn.
    return ServerProcess.#startUntil(/API explorer .*\n/, { ...options, args, settings })
  }

  /** Like `start`, for the plug-and-play Philote server. */
  static async startPhilote(options: StartOptions = {}): Promise<ServerProcess> {
    const args = ['philote', ...(options.args ?? [])]
    const env = { PORT: '0', ...options.env }
    return ServerProcess.#startUntil(/listens on ws:.*\n/, { ...options, args, env })
  }

  static async #startUntil(ready: RegExp, options: StartOptions): Promise<ServerProcess> {
    const server = new ServerProcess(options)
    const isUp = (): boolean => ready.test(server.stdout) || server.exit !== undefined
    await until(isUp, 'the server to start', START_PATIENCE_MS)
    if (server.exit)
      throw new Error(`the server did not start: ${JSON.stringify(server.exit)} ${server.output}`)
    return server
  }

  /** Runs until it exits: for commands, and for starts that fail. */
  static async run(options: StartOptions): Promise<ServerProcess & { readonly exit: Exit }> {
    const server = new ServerProcess(options)
    const exit = await within(server.exited, 'the process to end', START_PATIENCE_MS)
    return Object.assign(server, { exit })
  }

  /** Starts a long-running command. Resolves once its output matches `ready`. */
  static async startCommand(ready: RegExp, options: StartOptions): Promise<ServerProcess> {
    const command = new ServerProcess(options)
    await command.says(ready)
    return command
  }

  /** Resolves once its output matches. */
  async says(what: RegExp): Promise<void> {
    const isDone = (): boolean => what.test(this.output) || this.exit !== undefined
    await until(isDone, `${String(what)} in the output:\n${this.output}`, START_PATIENCE_MS)
    if (!what.test(this.output)) throw new Error(`it ended without ${String(what)}: ${this.output}`)
  }

  /** Writes to its standard input. */
  write(text: string): void {
    this.#child.stdin?.write(text)
  }

  endInput(): void {
    this.#child.stdin?.end()
  }

  /** Sends a message over the IPC channel. */
  send(message: object): void {
    this.#child.send(message)
  }

  onMessage(listener: (message: unknown) => void): void {
    this.#child.on('message', listener)
  }

  /** Closes the reading end of its standard output. */
  closeOutput(): void {
    this.#child.stdout?.destroy()
  }

  /** Stops reading its standard error. */
  pauseErrors(): void {
    this.#child.stderr?.pause()
  }

  resumeErrors(): void {
    this.#child.stderr?.resume()
  }

  /** Resolves when it has exited by itself. */
  async ended(): Promise<Exit> {
    return within(this.exited, 'the process to end', START_PATIENCE_MS)
  }

  get host(): string {
    return '127.0.0.1'
  }

  get port(): number {
    return Number(/listens on (?:http|ws):\/\/\S+:(\d+)/.exec(this.stdout)?.[1])
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  get url(): string {
    return `http://${this.host}:${this.port}`
  }

  get output(): string {
    return this.stdout + this.stderr
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** The memory of the process, as the server reports it to admins. */
  async residentBytes(secret?: string): Promise<number> {
    const { text } = await new Backend(this, secret).send('GET /admin/debug')
    return Number(/rss: (\d+) KiB/.exec(text)?.[1]) * 1024
  }

  /** Kills it. Fails if the server had an uncaught error. */
  async kill(): Promise<void> {
    running.delete(this)
    if (!this.exit) this.signal('SIGKILL')
    await this.exited
    rmSync(this.directory, { recursive: true, force: true })
    const [fault] = FAULT.exec(this.stderr) ?? []
    if (fault !== undefined && !this.#mayFault) throw new Error(`a server had a fault: ${fault}`)
  }
}

function variablesOf(settings: NonNullable<StartOptions['settings']>): Record<string, string> {
  const named = Object.entries(settings).map(([name, value]) => [
    `CHANNELSTREAM_${name.toUpperCase()}`,
    String(value),
  ])
  return Object.fromEntries(named) as Record<string, string>
}

/** Fails the tests of this file on any uncaught error in this process, including those of a server under test. */
export function refuseCrashes(): void {
  const crashes: unknown[] = []
  const note = (crash: unknown): void => void crashes.push(crash)
  beforeAll(() => {
    process.on('uncaughtException', note)
    process.on('unhandledRejection', note)
  })
  afterAll(() => {
    process.off('uncaughtException', note)
    process.off('unhandledRejection', note)
    expect(crashes).toEqual([])
  })
}
