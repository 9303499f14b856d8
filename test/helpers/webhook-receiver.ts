import http from 'node:http'
import { onTestFinished } from 'vitest'
import { until } from './http.ts'
import type { AddressInfo } from 'node:net'
import type { WebhookEvent, WebhookRequest } from '../../src/protocol/webhooks.ts'

export interface Received {
  readonly path: string
  readonly headers: http.IncomingHttpHeaders
  readonly text: string
  readonly body: WebhookRequest
  /** How it was answered. */
  status: number
}

/** Answers a request. The default answers 204. */
export type Answering = (request: Received, response: http.ServerResponse) => void | Promise<void>

/** The backend's end of webhooks. */
export class WebhookReceiver {
  readonly requests: Received[] = []
  /** Requests that are being answered, and the most there were at the same time. */
  open = 0
  mostOpen = 0
  #answering: Answering = (_request, response) => void response.writeHead(204).end()

  private constructor(readonly server: http.Server) {}

  /** Closes when the test ends, unless told otherwise. `port`: a fixed one, to come back at the same address. */
  static async start({ port = 0, stopsWithTest = true } = {}): Promise<WebhookReceiver> {
    const server = http.createServer()
    const receiver = new WebhookReceiver(server)
    server.on('request', (request, response) => receiver.#receive(request, response))
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    if (stopsWithTest) onTestFinished(() => receiver.stop())
    return receiver
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`
  }

  answerWith(answering: Answering): void {
    this.#answering = answering
  }

  /** Events of requests that were answered with success, in order of the answers, without `resync`. */
  get events(): WebhookEvent[] {
    return this.allEvents.filter(({ type }) => type !== 'resync')
  }

  get allEvents(): WebhookEvent[] {
    return this.requests
      .filter(({ status }) => status >= 200 && status < 300)
      .flatMap(({ body }) => body.events)
  }

  /** Type and name of each event. */
  get lines(): string[] {
    return this.events.map((event) =>
      [
        event.type,
        ...('channel' in event ? [event.channel] : []),
        ...('user' in event ? [event.user] : []),
      ].join(' '),
    )
  }

  async got(line: string, patienceMs?: number): Promise<void> {
    await until(() => this.lines.includes(line), `the webhook ${line}`, patienceMs)
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }

  #receive(request: http.IncomingMessage, response: http.ServerResponse): void {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const text = Buffer.concat(parts).toString()
      const received: Received = {
        path: request.url ?? '',
        headers: request.headers,
        text,
        body: JSON.parse(text) as WebhookRequest,
        status: 0,
      }
      this.requests.push(received)
      this.open++
      this.mostOpen = Math.max(this.mostOpen, this.open)
      response.on('close', () => {
        this.open--
        if (response.headersSent) received.status = response.statusCode
      })
      void this.#answering(received, response)
    })
  }
}
