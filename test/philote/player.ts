/** Plays the recorded cases. The types of the fields describe steps and cases. */
import { readFileSync } from 'node:fs'
import http from 'node:http'
import { expect } from 'vitest'
import { pause, until } from '../helpers/http.ts'
import { ServerProcess } from '../helpers/process.ts'
import { asText } from './cases.ts'
import { Client, answerOf, signToken } from './client.ts'
import { match, matches } from './matching.ts'
import type { Case, Step } from './cases.ts'
import type { Heard, Refused, TokenParts } from './client.ts'
import type { RedisSide } from './redis-side.ts'

const PATIENCE_MS = 30_000
/** How long a client must receive nothing, if a case expects that. */
const QUIET_MS = 150

/** A server that a case is played against. */
export interface Played {
  readonly port: number
  /** The secret that signs its tokens. */
  readonly secret: string
  /** The id of a separate process, for cases that measure it. */
  readonly pid?: number
  /** For cases of the Redis generation. */
  readonly redis?: RedisSide
}

export async function play(played: Case, server: Played): Promise<void> {
  const player = new Player(played.generation, server)
  try {
    await player.play(played.steps)
  } finally {
    await player.finish()
  }
}

class Player {
  readonly #variables: Record<string, string>
  readonly #issuers = new Map<string, string>()
  readonly #clients = new Map<string, Client>()

  constructor(
    private readonly generation: Case['generation'],
    private readonly server: Played,
  ) {
    this.#variables = { port: String(server.port), redis: server.redis?.url ?? '' }
  }

  async play(steps: readonly Step[]): Promise<void> {
    for (const [index, step] of steps.entries()) {
      try {
        await this.#step(step)
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        throw new Error(`step ${index + 1} (${step.do}): ${reason}`, { cause: error })
      }
    }
  }

  async finish(): Promise<void> {
    for (const { socket } of this.#clients.values()) socket.terminate()
    await this.server.redis?.finish()
  }

  async #step(step: Step): Promise<void> {
    if (step.do === 'repeat') return this.#repeat(step)
    if (step.do === 'parallel') {
      await Promise.all((step['lanes'] as Step[][]).map((lane) => this.play(lane)))
      return
    }
    const filled = this.#fill(step) as Step
    const verb = this.#verbs[step.do]
    if (verb) return verb(filled)
    if (!this.server.redis) throw new Error('there is no such step without Redis')
    await this.server.redis.step(filled, this.#issuers)
  }

  async #repeat(step: Step): Promise<void> {
    for (let i = 0; i < Number(step['times']); i++) {
      this.#variables[asText(step['as'], 'i')] = String(i)
      await this.play(step['steps'] as Step[])
    }
  }

  /** `${name}` in texts, `{"$now": seconds}` and `{"$repeat": [text, times]}` as values. */
  #fill(value: unknown): unknown {
    if (typeof value === 'string')
      return value.replace(/\$\{(\w+)\}/g, (_, name: string) => this.#variable(name))
    if (Array.isArray(value)) return value.map((inner) => this.#fill(inner))
    if (typeof value !== 'object' || value === null) return value
    const { $now, $repeat } = value as { $now?: number; $repeat?: [string, number] }
    if ($now !== undefined) return Math.floor(Date.now() / 1000) + $now
    if ($repeat) return String(this.#fill($repeat[0])).repeat($repeat[1])
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [this.#fill(key), this.#fill(inner)]),
    )
  }

  #variable(name: string): string {
    const value = this.#variables[name]
    if (value === undefined) throw new Error(`there is no variable ${name}`)
    return value
  }

  #client(name: unknown): Client {
    const client = this.#clients.get(String(name))
    if (!client) throw new Error(`there is no client ${String(name)}`)
    return client
  }

  #clientsOn({ on }: Step): Client[] {
    return [on].flat().map((name) => this.#client(name))
  }

  readonly #verbs: Readonly<Record<string, (step: Step) => Promise<void> | void>> = {
    token: (step) => {
      const edits = (step['edit'] ?? []) as (string | null)[]
      const parts = this.#token(step).split('.')
      const edited = parts.map((part, index) => edits[index] ?? part).join('.')
      this.#variables[String(step['as'])] = edited + asText(step['append'])
    },
    connect: (step) => this.#connect(step),
    request: (step) => this.#request(step),
    send: (step) => this.#send(step),
    flood: async (step) => {
      const { socket } = this.#client(step['on'])
      const template = JSON.stringify(step['json'])
      for (let n = 0; n < Number(step['times']); n++) {
        expect(socket.readyState, 'open').toBe(socket.OPEN)
        socket.send(template.replaceAll('#n', String(n)))
        if (n % 20 === 19) await pause(Number(step['pause'] ?? 1))
      }
    },
    raw: (step) => void this.#client(step['on']).tcp.write(Buffer.from(asText(step['hex']), 'hex')),
    ping: async (step) => {
      const client = this.#client(step['on'])
      client.socket.ping(step['data'])
      await until(() => client.pongs.length > 0, 'the pong', PATIENCE_MS)
      expect(client.pongs.shift()).toBe(step['data'])
    },
    pong: (step) => this.#client(step['on']).socket.pong(step['data']),
    close: async (step) => {
      const client = this.#client(step['on'])
      client.socket.close(step['code'] as number | undefined, step['reason'] as string | undefined)
      await client.closed()
      this.#checkEnding(client, (step['expect'] ?? {}) as Step)
    },
    terminate: (step) => this.#client(step['on']).socket.terminate(),
    reset: (step) => void this.#client(step['on']).tcp.resetAndDestroy(),
    pause: (step) => this.#client(step['on']).socket.pause(),
    expect: async (step) => {
      for (const client of this.#clientsOn(step))
        this.checkMessage(step, await client.next(step['ms'] as number | undefined))
    },
    expectAll: (step) => this.#expectAll(step),
    quiet: async (step) => {
      await pause(Number(step['ms'] ?? QUIET_MS))
      for (const client of this.#clientsOn(step)) {
        expect(client.inbox, `what ${client.name} heard`).toEqual([])
        if (step['evenClosed'] !== true) expect(client.isOpen, `${client.name} is open`).toBe(true)
      }
    },
    closed: async (step) => {
      for (const client of this.#clientsOn(step)) {
        await client.closed(step['ms'] as number | undefined)
        this.#checkEnding(client, step)
      }
    },
    count: async (step) => {
      const open = (): number => this.#clientsOn(step).filter(({ isOpen }) => isOpen).length
      await until(() => open() === step['open'], `${String(step['open'])} clients to stay open`)
      await pause(QUIET_MS)
      expect(open()).toBe(step['open'])
    },
    alive: async () => {
      const probe = await this.#ask({ path: '/', headers: {} })
      expect(probe.status).toBeGreaterThan(0)
    },
    cpu: async (step) => {
      const before = cpuSeconds(this.server.pid)
      const begun = performance.now()
      await pause(Number(step['over'] ?? 600))
      const share = ((cpuSeconds(this.server.pid) - before) * 1e5) / (performance.now() - begun)
      expect(share, 'percent of a core').toBeLessThan(Number(step['below']))
    },
    admin: (step) => this.#admin(step),
    sleep: (step) => pause(Number(step['ms'])),
    capture: (step) => {
      this.#variables[String(step['as'])] = String(this.#issuers.get(String(step['id'])))
    },
  }

  /** Runs the admin tool on the command line. Its output may be kept for later steps. */
  async #admin(step: Step): Promise<void> {
    const args = (step['args'] as string[]).map(String)
    const env = { REDIS_URL: this.server.redis?.url ?? '', ...(step['env'] as object | undefined) }
    const tool = await ServerProcess.run({ args: ['philote-admin', ...args], env })
    if (step['code'] !== undefined) expect(tool.exit.code, tool.output).toBe(step['code'])
    for (const stream of ['stdout', 'stderr'] as const)
      if (step[stream] !== undefined) match(step[stream], tool[stream], stream, this.#issuers)
    if (step['save'] !== undefined) this.#variables[asText(step['save'])] = tool.stdout.trim()
    await tool.kill()
  }

  #token(step: Step): string {
    const claims = {
      ...('read' in step && { read: step['read'] }),
      ...('write' in step && { write: step['write'] }),
      ...(step['claims'] as object | undefined),
    }
    return signToken({ ...(step['jwt'] as TokenParts), claims }, this.server.secret)
  }

  /** Path, query and headers of a handshake or another request. */
  #target(step: Step): { path: string; headers: Record<string, string> } {
    const headers: Record<string, string> = {}
    let query = asText(step['query'])
    let path = step['path'] as string | undefined
    if (this.generation === 'jwt') {
      const where = step['auth'] ?? 'header'
      const token = step['token'] ?? (where === 'none' ? '' : this.#token(step))
      if (where === 'header') headers['Authorization'] = `Bearer ${asText(token)}`
      if (where === 'query')
        query = `auth=${encodeURIComponent(asText(token))}${query && `&${query}`}`
    } else {
      path ??= `/${encodeURIComponent(String(step['token']))}`
      headers['Origin'] = `http://127.0.0.1:${this.server.port}`
    }
    overlay(headers, (step['headers'] ?? {}) as Record<string, string | null>)
    return { path: `${path ?? '/'}${query && `?${query}`}`, headers }
  }

  async #connect(step: Step): Promise<void> {
    const { path, headers } = this.#target(step)
    const url = `ws://127.0.0.1:${this.server.port}${path}`
    const name = String(step['as'])
    const client = await Client.dial(name, url, { headers, deflate: step['deflate'] === true })
    this.#clients.set(name, client)
    if (step['refused']) {
      expect(client.refused, 'a refusal').toBeDefined()
      if (client.refused) this.#checkAnswer(step['refused'] as Step, client.refused)
      return
    }
    expect(client.refused, 'a refusal').toBeUndefined()
    // The access key is looked up after the handshake.
    if (this.generation === 'redis' && step['settle'] !== 0)
      await pause(Number(step['settle'] ?? 60))
  }

  async #request(step: Step): Promise<void> {
    const { path, headers } = this.#target(step)
    const given = new Set(Object.keys(step['headers'] ?? {}).map((name) => name.toLowerCase()))
    if (step['upgrade'] === true)
      for (const [name, value] of Object.entries(UPGRADE_HEADERS))
        if (!given.has(name.toLowerCase())) headers[name] = value
    const method = (step['method'] as string | undefined) ?? 'GET'
    this.#checkAnswer(step['expect'] as Step, await this.#ask({ method, path, headers }))
  }

  #ask(options: http.RequestOptions): Promise<Refused> {
    return new Promise((resolve, reject) => {
      const { port } = this.server
      const request = http.request({ host: '127.0.0.1', port, agent: false, ...options })
      request.setTimeout(PATIENCE_MS, () => request.destroy(new Error('no answer')))
      request.on('upgrade', (response, socket) => {
        socket.destroy()
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: '' })
      })
      request.on('response', (response) => void answerOf(response).then(resolve))
      request.on('error', reject)
      request.end()
    })
  }

  async #send(step: Step): Promise<void> {
    const client = this.#client(step['on'])
    const isBinary = step['binary'] === true
    const data =
      step['hex'] === undefined
        ? asText(step['text'], JSON.stringify(step['json']))
        : Buffer.from(asText(step['hex']), 'hex')
    if (step['fragments'] === undefined) return client.send(data, isBinary)
    const count = Number(step['fragments'])
    const size = Math.ceil(data.length / count)
    for (let index = 0; index < count; index++) {
      const part = data.slice(index * size, (index + 1) * size)
      client.socket.send(part, { fin: index === count - 1, binary: isBinary })
    }
  }

  /** Expects messages, in order or in any order. `sample` stands for `times` messages that are numbered by #n. */
  async #expectAll(step: Step): Promise<void> {
    const client = this.#client(step['on'])
    const sample = JSON.stringify(step['sample'])
    const wanted =
      (step['all'] as unknown[] | undefined) ??
      Array.from({ length: Number(step['times']) }, (_, n): unknown =>
        JSON.parse(sample.replaceAll('#n', String(n))),
      )
    const got: unknown[] = []
    while (got.length < wanted.length) got.push(JSON.parse((await client.next()).text))
    const left = [...wanted]
    for (const message of got) {
      const place =
        step['ordered'] === true
          ? 0
          : left.findIndex((pattern) => matches(pattern, message, this.#issuers))
      if (place < 0) throw new Error(`unexpected: ${JSON.stringify(message)}`)
      match(left[place], message, `a message on ${client.name}`, this.#issuers)
      left.splice(place, 1)
    }
  }

  checkMessage(expected: Step, { text, isBinary }: Heard): void {
    expect(isBinary, 'a text frame').toBe(false)
    if ('text' in expected) match(expected['text'], text, 'the message', this.#issuers)
    if ('json' in expected) match(expected['json'], JSON.parse(text), 'the message', this.#issuers)
  }

  #checkAnswer(expected: Step, actual: Refused): void {
    const { status, body, json, headers } = expected
    if (status !== undefined) expect(actual.status).toBe(status)
    if (body !== undefined) match(body, actual.body, 'the body', this.#issuers)
    if (json !== undefined) match(json, JSON.parse(actual.body), 'the body', this.#issuers)
    for (const [name, value] of Object.entries((headers ?? {}) as Record<string, unknown>))
      match(value ?? undefined, actual.headers[name.toLowerCase()], name, this.#issuers)
  }

  #checkEnding({ name, ending }: Client, { code, reason }: Step): void {
    if (code !== undefined) expect([code].flat(), `how ${name} closed`).toContain(ending?.code)
    if (reason !== undefined) match(reason, ending?.reason, 'the reason', this.#issuers)
  }
}

const UPGRADE_HEADERS: Readonly<Record<string, string>> = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
}

/** Null removes a header. */
function overlay(headers: Record<string, string>, more: Record<string, string | null>): void {
  for (const [name, value] of Object.entries(more)) {
    for (const known of Object.keys(headers))
      if (known.toLowerCase() === name.toLowerCase()) delete headers[known]
    if (value !== null) headers[name] = value
  }
}

/** The CPU time of a process, in seconds. */
function cpuSeconds(pid: number | undefined): number {
  if (pid === undefined) throw new Error('the case measures a process of its own')
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').pop()?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}
