import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import { SocketLimits } from '../../src/net/socket-limits.ts'
import { ManualClock } from '../helpers/clock.ts'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { SocketRules } from '../../src/net/socket-limits.ts'

const PROXY = '10.0.0.1'
const BACKEND = '10.0.0.2'

function limited(rules: Partial<SocketRules>) {
  const clock = new ManualClock()
  const log = { debug() {}, info() {}, warn() {}, error() {} }
  const all: SocketRules = {
    maxSockets: 0,
    maxPerAddress: 0,
    maxNewPerSecond: 0,
    isProxy: (address) => address === PROXY,
    isBackend: (address) => address === BACKEND,
    networkOf: (address) => address,
    ...rules,
  }
  return { clock, limits: new SocketLimits(all, clock, log) }
}

class FakeSocket extends EventEmitter {
  remoteAddress: string = PROXY
  destroyed = false
}

class FakeResponse extends EventEmitter {
  closed = false
  constructor(readonly socket: FakeSocket | null) {
    super()
  }
}

const requestOn = (socket: FakeSocket) => ({ socket }) as unknown as IncomingMessage
const asResponse = (response: FakeResponse) => response as unknown as ServerResponse

describe('requests that a proxy passes on', () => {
  it('hold a place of their client until the answer or the connection is closed, whichever is first', () => {
    const { limits } = limited({ maxPerAddress: 1 })
    const socket = new FakeSocket()
    const answered = new FakeResponse(socket)
    expect(limits.enter(requestOn(socket), 'a', asResponse(answered))).toBeUndefined()
    expect(limits.enter(requestOn(socket), 'a', asResponse(new FakeResponse(socket)))).toBe(
      'address',
    )
    answered.emit('close')
    const queued = new FakeResponse(null)
    expect(limits.enter(requestOn(socket), 'a', asResponse(queued))).toBeUndefined()
    socket.emit('close')
    queued.emit('close')
    expect(limits.addresses).toBe(0)
    expect(limits.enter(requestOn(socket), 'a')).toBeUndefined()
    expect(limits.addresses).toBe(1)
  })

  it('hold none if their connection is closed already: nothing would end that', () => {
    const { limits } = limited({ maxPerAddress: 1 })
    const socket = new FakeSocket()
    const response = new FakeResponse(socket)
    response.closed = true
    expect(limits.enter(requestOn(socket), 'a', asResponse(response))).toBeUndefined()
    socket.destroyed = true
    expect(limits.enter(requestOn(socket), 'a')).toBeUndefined()
    expect(limits.addresses).toBe(0)
  })

  it('count for the rate if they are WebSockets; one that is too many holds no place', async () => {
    const { clock, limits } = limited({ maxPerAddress: 5, maxNewPerSecond: 1 })
    const enter = (address: string) => limits.enter(requestOn(new FakeSocket()), address)
    expect([enter('a'), enter('b'), enter('c')]).toEqual([undefined, 'rate', 'rate'])
    expect(limits.addresses).toBe(1)
    expect(limits.figures.refused.rate).toBe(2)
    const socket = new FakeSocket()
    expect(
      limits.enter(requestOn(socket), 'b', asResponse(new FakeResponse(socket))),
    ).toBeUndefined()
    await clock.advance(1000)
    expect(enter('c')).toBeUndefined()
  })

  it('are not counted for the proxy itself, for backends, and for those who come directly', () => {
    const { limits } = limited({ maxPerAddress: 1, maxNewPerSecond: 1 })
    const direct = new FakeSocket()
    direct.remoteAddress = 'a'
    for (let n = 0; n < 3; n++) {
      expect(limits.enter(requestOn(new FakeSocket()), PROXY)).toBeUndefined()
      expect(limits.enter(requestOn(new FakeSocket()), BACKEND)).toBeUndefined()
      expect(limits.enter(requestOn(direct), 'a')).toBeUndefined()
    }
    expect(limits.addresses).toBe(0)
  })
})
