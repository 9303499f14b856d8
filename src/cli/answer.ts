/** What a server answers by HTTP: to the API, and to handshakes that it refuses. */
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { IncomingMessage } from 'node:http'

export interface Answer {
  readonly status: number
  readonly text: string
}

/** An answer that is not what was asked for. Its message is the server's text: a refused token has the status 200. */
export class AnswerError extends Error {
  override readonly name = 'AnswerError'
  /** Whether asking again would not help: the server, or what stands before it, is in order, and does not want us. */
  readonly isFinal: boolean

  constructor({ status, text }: Answer) {
    const shown = text.trim().replace(/\s*\n\s*/g, ': ')
    super(status === 200 ? shown : `${status} ${shown}`.trim())
    this.isFinal = status < 500 && status !== 429
  }
}

const ANSWER_TIMEOUT_MS = 10_000
const MAX_ANSWER_LENGTH = 65_536

/** `token` needs the claim `api`. Rejects with `AnswerError`, or with why there is no answer. */
export async function askInfo(url: string, token: string): Promise<unknown> {
  const request = url.startsWith('https:') ? httpsRequest : httpRequest
  const asked = request(new URL('/api/info', url), {
    headers: { Authorization: `Bearer ${token}` },
    agent: false,
  })
  const timer = setTimeout(
    () => asked.destroy(new Error(`no answer within ${ANSWER_TIMEOUT_MS / 1000} s`)),
    ANSWER_TIMEOUT_MS,
  )
  try {
    asked.end()
    const [response] = (await once(asked, 'response')) as [IncomingMessage]
    const answer = await readAnswer(response)
    const info = answer.status === 200 ? parsed(answer.text) : undefined
    if (typeof info !== 'object' || info === null) throw new AnswerError(answer)
    return info
  } finally {
    clearTimeout(timer)
  }
}

/** No more of the text than a person would read. */
export async function readAnswer(response: IncomingMessage): Promise<Answer> {
  let text = ''
  for await (const part of response.setEncoding('utf8') as AsyncIterable<string>) {
    text += part
    if (text.length > MAX_ANSWER_LENGTH) break
  }
  return { status: response.statusCode ?? 0, text: text.slice(0, MAX_ANSWER_LENGTH) }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
