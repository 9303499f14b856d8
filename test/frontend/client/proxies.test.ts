import { describe, expect, it } from 'vitest'
import { FakeSocket, fakePage, newMessage, settled } from './fakes.ts'

/** Wraps objects, and what they hold, as libraries for reactive state do. Functions and their results stay as they are. */
function deep<Value extends object>(value: Value): Value {
  return new Proxy(value, {
    get(target, key, receiver) {
      const found: unknown = Reflect.get(target, key, receiver)
      return typeof found === 'object' && found !== null ? deep(found) : found
    },
  })
}

describe.each([
  ['a plain proxy', <Value extends object>(value: Value) => new Proxy(value, {})],
  ['a proxy that wraps all that it holds', deep],
])('a connection inside %s', (_what, wrap) => {
  it('works as if it were none', async () => {
    const page = fakePage({
      connectUrl: 'http://app.test/connect',
      messageUrl: 'http://app.test/m',
    })
    const connection = wrap(page.connection)
    const texts: unknown[] = []
    const off = connection.on('message', ({ message }) => texts.push(message?.['text']))
    const events = connection.events()
    const connected = connection.connect()
    await settled()
    FakeSocket.last.open()
    await settled()
    expect(await connected).toEqual({ conn_id: 'conn-1' })
    expect([connection.status, connection.transport, connection.connectionId]).toEqual([
      'connected',
      'websocket',
      'conn-1',
    ])
    FakeSocket.last.deliver(newMessage('hi'))
    expect(texts).toEqual(['hi'])
    expect(await events.next()).toMatchObject({ value: { message: { text: 'hi' } } })
    off()
    connection.username = 'bob'
    expect(page.connection.username).toBe('bob')
    await connection.message({ text: 'said' })
    expect(connection.isOwn({ uuid: 'unknown' })).toBe(false)
    connection.closeConnection()
    expect(connection.status).toBe('disconnected')
  })
})
