/** Backends and clients of a server that is killed again and again, and a model of what it has answered. */
import { EventStreamListener } from '../helpers/event-stream.ts'
import { Backend, pause, send, until } from '../helpers/http.ts'
import { Listener } from '../helpers/websocket.ts'
import type { Address } from '../helpers/http.ts'
import type { ReceivedEvent } from '../helpers/received.ts'

/** The server that runs now; another one after each kill. */
export interface Current {
  server: Address
  isOver: boolean
  /** Requests that were answered with 200. */
  answers: number
}

const RETRY_MS = 20

/** Calls until the server answers with 200, and then returns the answer. Undefined when everything is over. */
async function insist(
  current: Current,
  line: string,
  json: unknown,
  key: string,
): Promise<unknown> {
  while (!current.isOver) {
    try {
      const headers = { 'idempotency-key': key }
      const answer = await new Backend(current.server).send(line, { json, headers })
      if (answer.status === 200) {
        current.answers++
        return answer.body
      }
      if (answer.status !== 503) throw new RefusedError(`${line}: ${answer.status} ${answer.text}`)
    } catch (error) {
      if (error instanceof RefusedError) throw error
    }
    await pause(RETRY_MS)
  }
  return undefined
}

class RefusedError extends Error {}

/** Posts numbered messages one after the other, each until it is answered. Returns their texts. */
export async function post(current: Current, channel: string, name: string): Promise<string[]> {
  const answered: string[] = []
  for (let number = 0; !current.isOver; number++) {
    const text = `${name}-${number}`
    const json = [{ user: name, channel, message: { text } }]
    if ((await insist(current, 'POST /message', json, text)) !== undefined) answered.push(text)
  }
  return answered
}

/** Counts in the state of a user, and joins a new channel with each step. Returns the last answered number. */
export async function count(current: Current, user: string, connId: string): Promise<number> {
  let answered = 0
  for (let number = 1; !current.isOver; number++) {
    const state = { user, user_state: { number } }
    const subscription = { conn_id: connId, channels: [`${user} ${number % 50}`] }
    const isDone =
      (await insist(current, 'POST /subscribe', subscription, `join-${number}`)) !== undefined &&
      (await insist(current, 'POST /user_state', state, `state-${number}`)) !== undefined
    if (isDone) answered = number
  }
  return answered
}

/** Reads a whole history, page by page. */
export async function historyOf(server: Address, channel: string): Promise<ReceivedEvent[]> {
  const events: ReceivedEvent[] = []
  for (;;) {
    const after = events.at(-1)?.id
    const request = { channel, limit: 1000, ...(after !== undefined && { after }) }
    const page = await new Backend(server).call<{ history: ReceivedEvent[]; more: boolean }>(
      'POST /history',
      request,
    )
    events.push(...page.history)
    if (!page.more) return events
  }
}

/** A client that always comes back, by one transport. `events`: all that it got, with the events of all its sockets. */
export interface Follower {
  readonly name: string
  readonly events: readonly ReceivedEvent[]
  readonly done: Promise<void>
}

export type Transport = 'websocket' | 'event stream' | 'poll' | 'websocket without cursor'

export function follow(current: Current, connId: string, transport: Transport): Follower {
  const events: ReceivedEvent[] = []
  const once = { websocket, 'event stream': eventStream, poll, 'websocket without cursor': plain }
  const done = (async () => {
    while (!current.isOver) {
      await once[transport](current, connId, events).catch(() => {})
      await pause(RETRY_MS)
    }
  })()
  return { name: transport, events, done }
}

type Once = (current: Current, connId: string, events: ReceivedEvent[]) => Promise<void>

const lastId = (events: readonly ReceivedEvent[]) => {
  const cursor = events.at(-1)?.id
  return cursor === undefined ? {} : { cursor }
}

/** Takes over what a socket gets, until it ends or everything is over. */
async function drain(
  current: Current,
  listener: { readonly events: ReceivedEvent[] },
  { events, isClosed }: { events: ReceivedEvent[]; isClosed: () => boolean },
): Promise<void> {
  await until(() => isClosed() || current.isOver, 'the end', 600_000)
  events.push(...listener.events)
}

const websocket: Once = async (current, connId, events) => {
  const listener = await Listener.open(current.server, connId, lastId(events))
  await drain(current, listener, { events, isClosed: () => listener.ending !== undefined })
}

const plain: Once = async (current, connId, events) => {
  const listener = await Listener.open(current.server, connId)
  await drain(current, listener, { events, isClosed: () => listener.ending !== undefined })
}

const eventStream: Once = async (current, connId, events) => {
  const lastEventId = events.at(-1)?.id
  const opening = lastEventId === undefined ? {} : { lastEventId }
  const listener = await EventStreamListener.open(current.server, connId, opening)
  await drain(current, listener, { events, isClosed: () => listener.isClosed })
}

const poll: Once = async (current, connId, events) => {
  const query = new URLSearchParams({ conn_id: connId, ...lastId(events) })
  const { status, body } = await send(current.server, `GET /listen?${query.toString()}`)
  if (status !== 200) throw new Error(`a poll was answered with ${status}`)
  events.push(...(body as ReceivedEvent[]))
}
