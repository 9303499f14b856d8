import { setTimeout as sleep } from 'node:timers/promises'
import { Mismatch } from './matcher.ts'
import type { Answer } from './client.ts'
import type { RequestParts, Step, StepKind, StepKinds } from './scenario.ts'
import type { Session } from './session.ts'
import type { Socket } from './socket.ts'

/** Time for the server to attach a WebSocket after the handshake, which the client cannot see. */
const ATTACHING_MS = 60
/** Time for a poll to reach the server, which the client cannot see. */
const PARKING_MS = 80
/** Time for the server to read a frame before the next step. */
const SENDING_MS = 30

type Play<Kind extends StepKind> = (step: StepKinds[Kind], session: Session) => void | Promise<void>

const PLAYS: { readonly [Kind in StepKind]: Play<Kind> } = {
  http: async (step, session) => {
    session.judge(step.expect, await session.client.request(step.http, step))
  },
  wait: (step) => sleep(step.wait),
  open: playOpen,
  frames: playFrames,
  silent: playSilent,
  heartbeats: playHeartbeats,
  closed: async (step, session) => {
    const socket = session.socket(step.closed)
    await socket.until(() => !!socket.ending, step.within ?? 4000)
    session.judge(step.expect, socket.ending ?? { code: 'open' })
  },
  alive: (step, session) => {
    const { ending } = session.socket(step.alive)
    if (ending) throw atSocket(step.alive, { expected: 'still open', actual: ending })
  },
  close: async (step, session) => {
    const socket = session.socket(step.close)
    socket.close(step.code ?? 1000)
    await socket.until(() => !!socket.ending, 4000)
  },
  kill: (step, session) => session.socket(step.kill).kill(),
  send: async (step, session) => {
    const data = step.hex === undefined ? (step.text ?? '') : Buffer.from(step.hex, 'hex')
    session.socket(step.send).send(data)
    await sleep(SENDING_MS)
  },
  ping: async (step, session) => {
    const socket = session.socket(step.ping)
    const before = socket.pongCount
    socket.ping()
    const answered = await socket.until(() => socket.pongCount > before, 3000)
    if (!answered) throw atSocket(step.ping, { expected: 'a pong', actual: undefined })
  },
  poll: playPoll,
  polled: playPolled,
}

export async function playStep(step: Step, session: Session): Promise<void> {
  const play = PLAYS[kindOf(step)] as (step: Step, session: Session) => void | Promise<void>
  await play(step, session)
}

/** As in `http POST /connect` or `frames alice`. */
export function titleOf(step: Step): string {
  const kind = kindOf(step)
  return `${kind} ${String((step as unknown as Record<StepKind, unknown>)[kind])}`
}

function kindOf(step: Step): StepKind {
  const [first = '(empty)'] = Object.keys(step)
  if (!Object.hasOwn(PLAYS, first)) throw new Error(`unknown kind of step: ${first}`)
  return first as StepKind
}

async function playOpen(step: StepKinds['open'], session: Session): Promise<void> {
  const { path, headers } = session.client.prepare(`GET ${step.path ?? '/ws'}`, {
    sign: false,
    headers: step.headers ?? {},
    query: { ...(step.conn_id !== undefined && { conn_id: step.conn_id }), ...step.query },
  })
  const socket = session.open(step.open, path, headers)
  await socket.settled
  await session.client.target.settled?.()
  await sleep(ATTACHING_MS)
  if (socket.openedAt === undefined && !step.may_fail) {
    throw atSocket(
      step.open,
      { expected: 'an open websocket', actual: socket.ending },
      'the handshake failed',
    )
  }
}

async function playFrames(step: StepKinds['frames'], session: Session): Promise<void> {
  const { frames: name, expect: expected } = step
  if (!expected) throw new Error('this step says nothing about what it expects')
  if (!expected.length) return playSilent({ silent: name, for: step.for ?? 500 }, session)
  const socket = session.socket(name)
  const isOver = () => !!socket.ending && step.within === undefined
  const hasAll = () => socket.unread.length >= expected.length
  await socket.until(() => hasAll() || isOver(), step.within ?? 4000)
  const taken = socket.take(expected.length)
  const messages = taken.map(({ message }) => message)
  refuseFaults(name, socket)
  const frames = taken.map(({ frame }) => frame)
  if (step.one_each && new Set(frames).size !== frames.length) {
    throw atSocket(name, { expected: 'one message in each frame', actual: frames })
  }
  if (messages.length < expected.length && socket.ending) {
    throw atSocket(name, { expected, actual: messages }, `closed: ${JSON.stringify(socket.ending)}`)
  }
  session.judge(step.unordered ? { '@set': expected } : expected, messages)
}

async function playSilent(step: StepKinds['silent'], session: Session): Promise<void> {
  const socket = session.socket(step.silent)
  const before = socket.frameCount
  const hasBeat = () => !!step.heartbeats && socket.frameCount > before
  const ms = step.for ?? 500
  if (await socket.until(() => socket.unread.length > 0 || hasBeat(), ms)) {
    throw atSocket(step.silent, {
      expected: `nothing for ${ms} ms`,
      actual: socket.unread[0] ?? [],
    })
  }
}

async function playHeartbeats(step: StepKinds['heartbeats'], session: Session): Promise<void> {
  const socket = session.socket(step.heartbeats)
  const count = step.count ?? 2
  await socket.until(() => socket.beats.length >= count || !!socket.ending, (count + 1) * 6500)
  const beats = socket.beats.slice(0, count)
  const [first] = beats
  session.judge(step.expect, {
    first: first === undefined ? null : Math.round(first - (socket.openedAt ?? 0)),
    gaps: beats.slice(1).map((beat, i) => Math.round(beat - (beats[i] ?? 0))),
    count: beats.length,
  })
}

async function playPoll(step: StepKinds['poll'], session: Session): Promise<void> {
  const parts: RequestParts = {
    ...step,
    sign: step.sign ?? false,
    query: { ...(step.conn_id !== undefined && { conn_id: step.conn_id }), ...step.query },
  }
  const answer = session.client.request('GET /listen', parts)
  session.polls.set(
    step.poll,
    answer.catch((error: Error) => error),
  )
  await sleep(step.settle ?? PARKING_MS)
}

async function playPolled(step: StepKinds['polled'], session: Session): Promise<void> {
  const answer = await session.polls.get(step.polled)
  if (!answer) throw new Error(`no poll ${step.polled}`)
  if (answer instanceof Error) throw answer
  session.judge(step.expect, { ...answer, ...messagesOf(answer) })
}

/** The result of a poll: its body, or the argument of the callback. */
function messagesOf({ body, text }: Answer): { messages: unknown; callback?: string } {
  const wrapped = /^([^(]*)\((.*)\)\s*;?\s*$/s.exec(text)
  if (body !== undefined || !wrapped) return { messages: body }
  const [, callback = '', inner = ''] = wrapped
  try {
    return { messages: JSON.parse(inner) as unknown, callback }
  } catch {
    return { messages: undefined }
  }
}

/** Fails if there is an unexpected message. */
export function refuseLeftovers(session: Session): void {
  for (const [name, socket] of session.sockets) {
    const { unread } = socket
    if (unread.length) {
      const note = `${unread.length} that no step expects`
      throw atSocket(name, { expected: 'no further message', actual: unread[0] }, note)
    }
    refuseFaults(name, socket)
  }
}

function refuseFaults(name: string, { faults }: Socket): void {
  const [actual] = faults
  if (actual !== undefined) throw atSocket(name, { expected: 'JSON lists in text frames', actual })
}

interface Seen {
  readonly expected: unknown
  readonly actual: unknown
}

function atSocket(name: string, seen: Seen, note = ''): Mismatch {
  return new Mismatch(`socket ${name}`, seen, note)
}
