import { describe, expect, expectTypeOf, it } from 'vitest'
import { ChannelstreamConnection } from '../../../frontend/client/index.ts'
import { Event } from '../../../src/protocol/events.ts'
import { FakeSocket, fakePage, settled } from './fakes.ts'
import type { z } from 'zod'
import type { GapEvent, MessageEvent, ServerEvent } from '../../../frontend/client/index.ts'
import type { Event as ReceivedEvent } from '../../../src/protocol/events.ts'

/** As on the wire, without the server's branded types for names. */
type WireEvent = z.input<typeof Event>

/** The literal keys of each event, without index signatures. */
type Keys<E> = E extends { type: infer Type }
  ? { type: Type; keys: keyof { [Key in keyof E as string extends Key ? never : Key]: 1 } }
  : never

describe('the types of events', () => {
  it('are those of the protocol: each can stand for the other', () => {
    expectTypeOf<WireEvent>().toExtend<ServerEvent>()
    expectTypeOf<ServerEvent>().toExtend<WireEvent>()
    expectTypeOf<ReceivedEvent>().toExtend<ServerEvent>()
    // For each type, so that no key is missing in any of them.
    expectTypeOf<Keys<WireEvent>>().toEqualTypeOf<Keys<ServerEvent>>()
  })

  it('are told apart by the name that is listened to', () => {
    const connection = new ChannelstreamConnection()
    connection.on('message', (event) => expectTypeOf(event).toEqualTypeOf<MessageEvent>())
    connection.on('gap', (event) => expectTypeOf(event).toEqualTypeOf<GapEvent>())
    connection.on('event', (event) => {
      if (event.type === 'presence')
        expectTypeOf(event.message.action).toEqualTypeOf<'joined' | 'parted'>()
    })
    // @ts-expect-error: no such event
    connection.on('massage', () => {})
  })

  it('are all told by name', async () => {
    const { connection } = fakePage()
    void connection.connect()
    await settled()
    FakeSocket.last.open()
    await settled()
    const types = Event.options.map((option) => option.shape.type.value)
    const heard: string[] = []
    for (const type of types) connection.on(type, (event) => heard.push(event.type))
    FakeSocket.last.deliver(...types.map((type) => ({ type })))
    expect(heard).toEqual(types)
    connection.closeConnection()
  })
})
