import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { BodyReader } from '../../src/http/body-reader.ts'
import type { Body } from '../../src/http/body-reader.ts'
import type { RequestError } from '../../src/protocol/errors.ts'

const MOST = 1000

/** A request whose chunks the test controls. */
function aRequest(headers: Record<string, string> = {}): IncomingMessage {
  const request = new IncomingMessage(new Socket())
  request.headers = headers
  return request
}

interface Outcome {
  error?: Error | undefined
  body?: Body | undefined
}

function read(reader: BodyReader, request: IncomingMessage, most = MOST): Outcome {
  const outcome: Outcome = {}
  reader.read(request, most, (error, body) => Object.assign(outcome, { error, body }))
  return outcome
}

const codeOf = ({ error }: Outcome) => (error as RequestError | undefined)?.code

describe('a body', () => {
  it.each([
    ['that comes at once', ['hello world']],
    ['in pieces', ['hel', 'lo', ' world']],
    ['byte by byte', [...'hello world']],
    ['with nothing in it', []],
  ])('%s comes whole', (_how, pieces) => {
    const reader = new BodyReader(MOST)
    const request = aRequest()
    const outcome = read(reader, request)
    for (const piece of pieces) request.emit('data', Buffer.from(piece))
    request.emit('end')
    expect(outcome.body?.bytes.toString()).toBe(pieces.join(''))
    outcome.body?.release()
    expect(reader.held).toBe(0)
  })

  it('holds at most twice its bytes, however it is cut up', () => {
    const reader = new BodyReader(1e9)
    const request = aRequest()
    read(reader, request, 1e6)
    for (let length = 1; length <= 100_000; length++) {
      request.emit('data', Buffer.from('x'))
      if (length >= 256) expect(reader.held).toBeLessThanOrEqual(2 * length)
    }
  })

  it('holds no more for what its head announces', () => {
    const reader = new BodyReader(1e9)
    const request = aRequest({ 'content-length': '1000000' })
    read(reader, request, 1e6)
    expect(reader.held).toBe(0)
    request.emit('data', Buffer.alloc(10))
    request.emit('data', Buffer.alloc(10))
    expect(reader.held).toBeLessThan(1000)
  })

  it('that is too large is refused from its head', () => {
    const reader = new BodyReader(1e9)
    expect(codeOf(read(reader, aRequest({ 'content-length': '1001' })))).toBe('TOO_LARGE')
    expect(codeOf(read(reader, aRequest({ 'content-length': '1000' })))).toBeUndefined()
  })

  it('that is too large without saying so is refused as soon as it is, and held no longer', () => {
    const reader = new BodyReader(1e9)
    const request = aRequest()
    const outcome = read(reader, request)
    request.emit('data', Buffer.alloc(600))
    request.emit('data', Buffer.alloc(400))
    expect(outcome).toEqual({})
    request.emit('data', Buffer.alloc(1))
    expect(codeOf(outcome)).toBe('TOO_LARGE')
    expect(reader.held).toBe(0)
    expect(request.listenerCount('data')).toBe(0)
  })

  it('that breaks off is refused, and held no longer', () => {
    const reader = new BodyReader(1e9)
    const request = aRequest()
    const outcome = read(reader, request)
    request.emit('data', Buffer.alloc(600))
    request.emit('error', new Error('aborted'))
    expect(codeOf(outcome)).toBe('UNREADABLE')
    expect(reader.held).toBe(0)
  })
})

describe('all bodies together', () => {
  it('hold no more than allowed; one that would is refused with 503, and the others are read', () => {
    const reader = new BodyReader(1000)
    const first = aRequest()
    const second = aRequest()
    const [one, two] = [read(reader, first), read(reader, second)]
    first.emit('data', Buffer.alloc(600))
    second.emit('data', Buffer.alloc(500))
    expect(codeOf(two)).toBe('BUSY')
    first.emit('end')
    expect(one.body?.bytes).toHaveLength(600)
  })

  it('count until they are released, once', () => {
    const reader = new BodyReader(1000)
    const request = aRequest()
    const { body } = (() => {
      const outcome = read(reader, request)
      request.emit('data', Buffer.alloc(600))
      request.emit('end')
      return outcome
    })()
    expect(reader.held).toBe(600)
    body?.release()
    body?.release()
    expect(reader.held).toBe(0)
  })
})
