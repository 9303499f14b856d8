/** Compares the events of one client with the expected ones. */
import { expect } from 'vitest'
import { numberOf } from './transcript.ts'
import type { Event } from '../../src/protocol/events.ts'
import type { Client } from './driver.ts'
import type { Expected, Listener, ModelConnection } from './model.ts'
import type { Transcript } from './transcript.ts'

/** A client, its expected events and its connection. */
export interface Listening {
  readonly client: Client
  /** Undefined for a poll while a stream is open, which gets nothing. */
  readonly listener: Listener | undefined
  readonly connection: ModelConnection
  readonly transcript: Transcript
  /** The number of events compared. */
  seen: number
}

export function compareEvents(listening: Listening, maxWaiting: number): void {
  const { client, listener, transcript } = listening
  for (const event of client.events.slice(listening.seen)) {
    transcript.see(event, client.events[listening.seen - 1])
    listening.seen++
  }
  const [first] = client.events
  const events = first?.type === 'gap' ? client.events.slice(1) : client.events
  if (!listener) return expect(events, 'a poll beside a stream').toEqual([])
  checkGap(listener, first)
  const views = events.map((event, index) => viewOf(event, listener.received[index]))
  expect(views, `received for ${client.connId}`).toEqual(listener.received)
  const waiting = listener.pending.reduce((sum, { view }) => sum + textOf(view).length, 0)
  expect(waiting, 'waiting for a slow reader').toBeLessThanOrEqual(maxWaiting)
}

export const isCurrent = ({ connection, listener }: Listening): boolean =>
  listener !== undefined && connection.listener === listener

export const hasAll = ({ client, listener }: Listening): boolean => {
  const gaps = client.events[0]?.type === 'gap' ? 1 : 0
  const due = listener && listener.gap.required.length > 0 ? 1 : 0
  return client.events.length >= (listener?.received.length ?? 0) + Math.max(gaps, due)
}

function checkGap({ gap }: Listener, first: Event | undefined): void {
  if (first?.type !== 'gap') return expect(gap.required, 'a gap that was not told').toEqual([])
  const told = [
    ...first.channels.map((name) => `c:${name}`),
    ...(first.private ? gap.allowed.filter((topic) => topic.startsWith('u:')) : []),
  ]
  expect(gap.allowed, 'a gap without a loss').toEqual(expect.arrayContaining(told))
  expect(told, 'a gap that was not told').toEqual(expect.arrayContaining([...gap.required]))
  expect(told, 'an empty gap').not.toEqual([])
}

function viewOf(event: Event, expected: Expected | undefined): Expected {
  const keys = Object.keys(expected?.view ?? event)
  const view = Object.fromEntries(keys.map((key) => [key, event[key as keyof Event]])) as Record<
    string,
    unknown
  >
  const users = view['users']
  if (Array.isArray(users)) view['users'] = (users as { user: string }[]).toSorted(byUser)
  return { n: numberOf(event), view }
}

const textOf = (view: Expected['view']): string =>
  ((view['message'] ?? {}) as { text?: string }).text ?? ''

const byUser = (one: { user: string }, other: { user: string }): number =>
  one.user < other.user ? -1 : 1
