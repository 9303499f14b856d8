/** HTTP answers of a server: to API requests, and to handshakes that it rejects. */
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { IncomingMessage } from 'node:http'

export interface Answer {
  readonly status: number
  readonly text: string
}

/**
 * An answer that is an error. The message is the server's text, with the status before it unless that is 200: a
 * rejected token has the status 200.
 */
export class AnswerError extends Error {
  override readonly name = 'AnswerError'
  /** Whether a retry would not help: the server, or a proxy in front of it, works and rejects the request. */
  readonly isFinal: boolean

  constructor({ status, text }: Answer) {
    const shown = text.trim().replace(/\s*\n\s*/g, ': ')
    super(status === 200 ? shown : `${status} ${shown}`.trim())
    this.isFinal = status < 500 && status !== 429
  }
}

const ANSWER_TIMEOUT_MS = 10_000
const MAX_ANSWER_LENGTH = 65_536

/** Requests `/api/info`. `token` needs the claim `api`. Rejects with `AnswerError`, or with why there is no answer. */
export async function askInfo(url: string, token: string): Promise<unknown> {
  const request = url.startsWith('https:') ? httpsRequest : httpRequest
  const sent = request(new URL('/api/info', url), {
    headers: { Authorization: `Bearer ${token}` },
    agent: false,
  })
  const timer = setTimeout(
    () => sent.destroy(new Error(`no answer within ${ANSWER_TIMEOUT_MS / 1000} s`)),
    ANSWER_TIMEOUT_MS,
  )
  try {
    sent.end()
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    const answer = await readAnswer(response)
    const info = answer.status === 200 ? parseJson(answer.text) : undefined
    if (typeof info !== 'object' || info === null) throw new AnswerError(answer)
    return info
  } finally {
    clearTimeout(timer)
  }
}

/** Reads the answer. Keeps at most 65,536 characters of its text, which is shown to people. */
export async function readAnswer(response: IncomingMessage): Promise<Answer> {
  let text = ''
  for await (const part of response.setEncoding('utf8') as AsyncIterable<string>) {
    text += part
    if (text.length > MAX_ANSWER_LENGTH) break
  }
  return { status: response.statusCode ?? 0, text: text.slice(0, MAX_ANSWER_LENGTH) }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
