/** HTTP answers that no framework writes: to malformed requests, and on sockets that Node has handed over. */
import { STATUS_CODES } from 'node:http'
import type { ServerResponse } from 'node:http'

export interface PlainAnswer {
  readonly status: number
  /** All headers except `Connection`. */
  readonly headers: Readonly<Record<string, string | number>>
  readonly text: string
}

/** Returns the answer as HTTP/1.1 bytes. It is the last one on its connection. */
export function bytesOf({ status, headers, text }: PlainAnswer): string {
  const lines = Object.entries({ Connection: 'close', ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  )
  const reason = STATUS_CODES[status] ?? 'Refused'
  return [`HTTP/1.1 ${status} ${reason}`, ...lines, '', text].join('\r\n')
}

/** Sends the answer after those to earlier requests, and closes the connection. */
export function sendLast(response: ServerResponse, { status, headers, text }: PlainAnswer): void {
  response.writeHead(status, { Connection: 'close', ...headers }).end(text)
}
