import http from 'node:http'
import { until, within } from './http.ts'
import { Received } from './received.ts'
import type { Address } from './http.ts'
import type { ReceivedEvent } from './received.ts'

/** What a stream says besides its events. */
interface Said {
  readonly type: string
  readonly [key: string]: unknown
}

export interface StreamOpening {
  /** Before the path. */
  readonly prefix?: string
  readonly cursor?: string
  readonly lastEventId?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly agent?: http.Agent
}

const open = new Set<{ destroy(): void }>()

/** Call it after the tests of a file. Cuts streams that are still open. */
export function closeStreams(): void {
  for (const stream of open) stream.destroy()
  open.clear()
}

/** Reads one stream by the rules of the HTML standard. */
class StreamReader {
  lastEventId = ''
  retryMs: number | undefined
  beats = 0
  #rest = ''
  #data: string[] = []
  #name = ''
  #id: string | undefined

  constructor(private readonly onMessage: (name: string, data: string, id: string) => void) {}

  read(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#line(line)
  }

  #line(line: string): void {
    if (line === '') return this.#dispatch()
    if (line.startsWith(':')) return void this.beats++
    const [field = '', value = ''] = line.split(/: ?(.*)/s)
    if (field === 'data') this.#data.push(value)
    else if (field === 'event') this.#name = value
    else if (field === 'id') this.#id = value
    else if (field === 'retry') this.retryMs = Number(value)
    else throw new Error(`an unknown field: ${line}`)
  }

  #dispatch(): void {
    this.lastEventId = this.#id ?? this.lastEventId
    const data = this.#data.splice(0).join('\n')
    if (data !== '') this.onMessage(this.#name, data, this.lastEventId)
    this.#name = ''
  }
}

/** One response of `/sse`. It does not come back. */
export class EventStreamListener extends Received {
  /** The data of named events: `hello` and `close`. */
  readonly said: Said[] = []
  /** What came, as it came. */
  text = ''
  readonly closed: Promise<void>
  isClosed = false
  /** The response ended as HTTP wants it: its last chunk came. */
  isComplete = false
  response: http.IncomingMessage | undefined
  /** Called with each further event. */
  onEvent: (event: ReceivedEvent) => void = () => {}
  readonly #request: http.ClientRequest
  readonly #reader = new StreamReader((name, data, id) => this.#receive(name, data, id))

  private constructor({ host, port }: Address, path: string, opening: StreamOpening) {
    super()
    const { lastEventId, headers = {}, agent } = opening
    const back = lastEventId === undefined ? {} : { 'last-event-id': lastEventId }
    this.#request = http.get({
      host,
      port,
      path,
      agent: agent ?? false,
      headers: { accept: 'text/event-stream', ...back, ...headers },
    })
    this.closed = new Promise((resolve) => {
      const end = (): void => {
        this.isClosed = true
        resolve()
      }
      // The request may close before its response has been read to the end.
      this.#request.on('response', (response) => response.on('close', end))
      this.#request.on('close', () => this.response ?? end())
    })
    this.#request.on('error', () => {}) // a close follows
    open.add(this)
  }

  /** Resolves when the server has said hello. Rejects if it refuses, or ends the stream before. */
  static async open(
    server: Address,
    connId: string,
    opening: StreamOpening = {},
  ): Promise<EventStreamListener> {
    const { cursor, prefix = '' } = opening
    const query = new URLSearchParams({ conn_id: connId, ...(cursor !== undefined && { cursor }) })
    const stream = new EventStreamListener(server, `${prefix}/sse?${query.toString()}`, opening)
    await within(stream.#opened(), 'the stream')
    const isGreeted = (): boolean => stream.said.length > 0 || stream.isClosed
    await until(isGreeted, 'the hello')
    if (stream.said.length === 0) throw new Error(`no hello: ${stream.text}`)
    return stream
  }

  #opened(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#request.on('response', (response) => {
        this.response = response
        response.setEncoding('utf8')
        response.on('data', (text: string) => {
          this.text += text
          if (response.statusCode === 200) this.#reader.read(text)
        })
        response.on('error', () => {}) // a close follows
        response.on('end', () => (this.isComplete = true))
        if (response.statusCode === 200) resolve()
        else reject(new Error(`the stream was refused with ${response.statusCode}`))
      })
      this.#request.on('close', () => reject(new Error('no response')))
    })
  }

  /** The id that a client sends when it comes back. */
  get lastEventId(): string {
    return this.#reader.lastEventId
  }

  get retryMs(): number | undefined {
    return this.#reader.retryMs
  }

  get beats(): number {
    return this.#reader.beats
  }

  /** Stops and starts reading. */
  pause(): void {
    this.response?.pause()
  }

  resume(): void {
    this.response?.resume()
  }

  /** Reads slowly from now on, like over a slow line. */
  slowDown(bytesPerSecond: number): void {
    const { response } = this
    response?.on('data', (text: string) => {
      response.pause()
      setTimeout(() => response.resume(), (text.length / bytesPerSecond) * 1000)
    })
  }

  async breakOff(): Promise<void> {
    this.destroy()
    await this.closed
  }

  destroy(): void {
    this.#request.destroy()
  }

  #receive(name: string, data: string, id: string): void {
    if (name !== '') return void this.said.push(JSON.parse(data) as Said)
    const [event, ...more] = JSON.parse(data) as ReceivedEvent[]
    if (!event || more.length > 0 || event.id !== id) throw new Error(`not one event: ${data}`)
    this.events.push(event)
    this.onEvent(event)
  }
}

/** Returns the server that a client reaches at this moment. */
type FindServer = () => Address

/** A client that comes back by itself as `EventSource` does, and keeps its last id and nothing else. */
export class ReturningListener extends Received {
  /** How often it has opened a stream. */
  opened = 0
  lastEventId: string | undefined
  /** Why it gave up, as `EventSource` does at any answer but 200. */
  givenUp: string | undefined
  #stream: EventStreamListener | undefined
  #isDone = false

  private constructor(
    private readonly findServer: FindServer,
    private readonly connId: string,
    private readonly agent = new http.Agent({ keepAlive: true, maxSockets: 1 }),
  ) {
    super()
    open.add(this)
  }

  static async open(server: Address | FindServer, connId: string): Promise<ReturningListener> {
    const listener = new ReturningListener(
      typeof server === 'function' ? server : () => server,
      connId,
    )
    void listener.#run()
    await until(() => listener.opened > 0 || listener.givenUp !== undefined, 'the first stream')
    if (listener.givenUp !== undefined) throw new Error(listener.givenUp)
    return listener
  }

  /** Loses its connection. It comes back. */
  async breakOff(): Promise<void> {
    await this.#stream?.breakOff()
  }

  destroy(): void {
    this.#isDone = true
    this.#stream?.destroy()
    this.agent.destroy()
  }

  async #run(): Promise<void> {
    let retryMs = 100
    while (!this.#isDone && this.givenUp === undefined) {
      try {
        retryMs = await this.#listen(retryMs)
      } catch (error) {
        const { message } = error as Error
        if (message.includes('refused with')) this.givenUp = message
      }
      // Faster than a browser, so that tests are fast.
      await new Promise((resolve) => setTimeout(resolve, Math.min(retryMs, 200)))
    }
  }

  /** Resolves with the time after which to come back. */
  async #listen(retryMs: number): Promise<number> {
    const { connId, agent, lastEventId } = this
    const stream = await EventStreamListener.open(this.findServer(), connId, {
      agent,
      ...(lastEventId !== undefined && { lastEventId }),
    })
    this.#stream = stream
    stream.onEvent = (event) => this.events.push(event)
    this.events.push(...stream.events)
    this.opened++
    if (this.#isDone) stream.destroy()
    await stream.closed
    this.lastEventId = stream.lastEventId || lastEventId
    return stream.retryMs ?? retryMs
  }
}
