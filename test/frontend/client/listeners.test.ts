import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { FakeSocket, fakePage, newMessage, settled } from './fakes.ts'
import type { MessageEvent } from '../../../frontend/client/index.ts'

const ADDRESSES = { messageUrl: 'http://app.test/message' }

async function openPage() {
  const page = fakePage(ADDRESSES)
  onTestFinished(() => page.connection.closeConnection())
  const connected = page.connection.connect()
  await settled()
  FakeSocket.last.open()
  await settled()
  await connected
  const heard: unknown[] = []
  const hear = ({ message }: MessageEvent): unknown => heard.push(message?.['text'])
  return { ...page, heard, hear }
}

/** Delivers messages with these texts in one frame. */
const say = (...texts: string[]): unknown =>
  FakeSocket.last.deliver(...texts.map((text) => newMessage(text)))

describe('once', () => {
  it('hears one event, also if more come with it', async () => {
    const { connection, heard, hear } = await openPage()
    connection.once('message', hear)
    say('one', 'two')
    say('three')
    expect(heard).toEqual(['one'])
  })

  it('waits for an event of its type', async () => {
    const { connection, heard, hear } = await openPage()
    connection.once('message', hear)
    FakeSocket.last.deliver({ type: 'presence', id: 'e-1', message: { action: 'joined' } })
    say('one')
    expect(heard).toEqual(['one'])
  })

  it('hears nothing after it was removed, in any of the three ways', async () => {
    const { connection, heard, hear } = await openPage()
    const controller = new AbortController()
    const stop = connection.once('message', hear)
    connection.once('message', hear, { signal: controller.signal })
    connection.once('message', hear, { signal: AbortSignal.abort() })
    stop()
    controller.abort()
    const other = vi.fn()
    connection.once('message', other)
    connection.off('message', other)
    say('one')
    expect(heard).toEqual([])
    expect(other).not.toHaveBeenCalled()
  })

  it('hears once also if the same event comes again while it hears', async () => {
    const { connection } = await openPage()
    const heard: string[] = []
    connection.once('status', ({ status }) => {
      heard.push(status)
      void connection.connect()
      connection.closeConnection()
    })
    connection.closeConnection()
    expect(heard).toEqual(['disconnected'])
  })

  it('is over also if it throws, and others hear all the same', async () => {
    const reported = vi.spyOn(console, 'error').mockReturnValue()
    onTestFinished(() => reported.mockRestore())
    const { connection, heard, hear } = await openPage()
    connection.once('message', () => {
      throw new Error('the page is broken')
    })
    connection.on('message', hear)
    say('one', 'two')
    expect(heard).toEqual(['one', 'two'])
    expect(reported).toHaveBeenCalledTimes(1)
  })

  it('leaves nothing at its signal', async () => {
    const { connection, hear } = await openPage()
    const { signal } = new AbortController()
    const added = vi.spyOn(signal, 'addEventListener')
    const removed = vi.spyOn(signal, 'removeEventListener')
    connection.once('message', hear, { signal })
    say('one')
    expect(added.mock.calls).toHaveLength(1)
    expect(removed.mock.calls.map(([, listener]) => listener)).toContain(added.mock.calls[0]?.[1])
  })
})

describe('off', () => {
  it('removes the listener, and no other', async () => {
    const { connection, heard, hear } = await openPage()
    const other = vi.fn()
    connection.on('message', hear)
    connection.on('message', other)
    connection.off('message', hear)
    say('one')
    expect(heard).toEqual([])
    expect(other).toHaveBeenCalledTimes(1)
  })

  it('removes one of two that are the same function', async () => {
    const { connection, heard, hear } = await openPage()
    connection.on('message', hear)
    connection.on('message', hear)
    connection.off('message', hear)
    say('one')
    expect(heard).toEqual(['one'])
    connection.off('message', hear)
    say('two')
    expect(heard).toEqual(['one'])
  })

  it('does nothing for a function that does not listen to this type', async () => {
    const { connection, heard, hear } = await openPage()
    connection.on('message', hear)
    connection.off('event', hear as never)
    connection.off('message', () => {})
    connection.off('gap', () => {})
    say('one')
    expect(heard).toEqual(['one'])
  })

  it('may be called while others hear', async () => {
    const { connection, heard, hear } = await openPage()
    connection.on('message', () => connection.off('message', hear))
    connection.on('message', hear)
    say('one')
    expect(heard).toEqual([])
  })

  it('leaves nothing at the signal of the listener', async () => {
    const { connection, heard, hear } = await openPage()
    const controller = new AbortController()
    const removed = vi.spyOn(controller.signal, 'removeEventListener')
    connection.on('message', hear, { signal: controller.signal })
    connection.off('message', hear)
    expect(removed).toHaveBeenCalledTimes(1)
    connection.on('message', hear)
    controller.abort()
    say('one')
    expect(heard).toEqual(['one'])
  })
})

describe('mutators', () => {
  it('are no listeners: off() leaves them, and they change each request of their type', async () => {
    const { connection, requests } = await openPage()
    const mutate = vi.fn((request: { headers: { push(header: object): unknown } }) => {
      request.headers.push({ name: 'X-Token', value: 'token' })
    })
    connection.addMutator('message', mutate)
    connection.on('message', mutate as never)
    connection.off('message', mutate as never)
    await connection.message({ text: 'one' })
    await connection.message({ text: 'two' })
    say('one')
    expect(mutate).toHaveBeenCalledTimes(2)
    const sent = requests.map(({ url, headers }) => [new URL(url).pathname, headers['x-token']])
    expect(sent).toEqual([
      ['/connect', undefined],
      ['/message', 'token'],
      ['/message', 'token'],
    ])
  })
})
