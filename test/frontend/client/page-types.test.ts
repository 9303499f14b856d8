import { describe, expect, expectTypeOf, it, onTestFinished } from 'vitest'
import { channelOf } from '../../../frontend/client/channels.ts'
import { ChannelstreamConnection } from '../../../frontend/client/index.ts'
import { FakeSocket, fakePage, newMessage, settled } from './fakes.ts'
import type { Channel, Members } from '../../../frontend/client/channels.ts'
import type {
  MessageEvent,
  PresenceEvent,
  ServerEvent,
  State,
} from '../../../frontend/client/index.ts'

interface Chat {
  text: string
  replyTo?: string
}
interface Profile {
  color: 'red' | 'blue'
}
/** As an alias, and as an interface. */
type Typed = { message: Chat; state: Profile }
interface TypedToo {
  message: Chat
  state: Profile
}

describe("a page's types", () => {
  const connection = new ChannelstreamConnection<Typed>()

  it('are those of the events that are listened to', () => {
    connection.on('message', ({ message, user, channel }) => {
      expectTypeOf(message).toEqualTypeOf<Chat>()
      expectTypeOf(message.text).toEqualTypeOf<string>()
      expectTypeOf(user).toEqualTypeOf<string>()
      expectTypeOf(channel).toEqualTypeOf<string | null>()
      // @ts-expect-error: a chat has no such key
      expectTypeOf(message.txt).toBeString()
    })
    connection.once('message', ({ message }) => expectTypeOf(message).toEqualTypeOf<Chat>())
    connection.on('message:edit', ({ message }) =>
      expectTypeOf(message).toEqualTypeOf<Chat | undefined>(),
    )
    connection.on('presence', ({ state, users }) => {
      expectTypeOf(state).toEqualTypeOf<Profile | null>()
      expectTypeOf(users).toEqualTypeOf<{ user: string; state: Profile }[]>()
    })
    connection.on('user_state_change', ({ message }) =>
      expectTypeOf(message.state).toEqualTypeOf<Profile>(),
    )
    connection.on('event', (event) => {
      if (event.type === 'message') expectTypeOf(event.message).toEqualTypeOf<Chat>()
      if (event.type === 'gap') expectTypeOf(event.channels).toEqualTypeOf<string[]>()
    })
    const listener = ({ message }: MessageEvent<Typed>) => message.text
    connection.on('message', listener)
    connection.off('message', listener)
  })

  it('are those of the events that are read', () => {
    const iterator = connection.events()
    onTestFinished(() => void iterator.return?.())
    type Read = Awaited<ReturnType<typeof iterator.next>>
    expectTypeOf<Extract<Read, { done?: false }>['value']>().toEqualTypeOf<ServerEvent<Typed>>()
    const read = async () => {
      for await (const event of connection)
        if (event.type === 'message') expectTypeOf(event.message).toEqualTypeOf<Chat>()
    }
    expectTypeOf(read).toBeFunction()
  })

  it('are those of its channels', () => {
    const lobby = channelOf(connection, 'lobby')
    expectTypeOf(lobby).toEqualTypeOf<Channel<Typed>>()
    expectTypeOf(lobby.members).toEqualTypeOf<ReadonlyMap<string, Profile> | null>()
    lobby.on('message', ({ message }) => expectTypeOf(message).toEqualTypeOf<Chat>())
    lobby.on('members', (members) => expectTypeOf(members).toEqualTypeOf<Members<Typed>>())
    lobby.on('presence', (event) => expectTypeOf(event).toEqualTypeOf<PresenceEvent<Typed>>())
    lobby.on('error', ({ status }) => expectTypeOf(status).toEqualTypeOf<number>())
    // @ts-expect-error: the connection has a status, a channel has none
    lobby.on('status', () => {})
    // @ts-expect-error: no such event
    lobby.on('massage', () => {})
  })

  it('may be an interface', () => {
    const typed = new ChannelstreamConnection<TypedToo>()
    typed.on('message', ({ message }) => expectTypeOf(message).toEqualTypeOf<Chat>())
    expectTypeOf(channelOf(typed, 'lobby').members).toEqualTypeOf<Members<TypedToo> | null>()
    expectTypeOf<MessageEvent<TypedToo>>().toEqualTypeOf<MessageEvent<Typed>>()
  })

  it('may be told for messages only, or for states only', () => {
    const chats = new ChannelstreamConnection<{ message: Chat }>()
    chats.on('message', ({ message }) => expectTypeOf(message).toEqualTypeOf<Chat>())
    chats.on('presence', ({ state }) => expectTypeOf(state).toEqualTypeOf<State | null>())
    const profiles = new ChannelstreamConnection<{ state: Profile }>()
    profiles.on('presence', ({ state }) => expectTypeOf(state).toEqualTypeOf<Profile | null>())
    profiles.on('message', (event) =>
      expectTypeOf(event).toEqualTypeOf<MessageEvent<{ state: Profile }>>(),
    )
    profiles.on('message', ({ message }) =>
      expectTypeOf(message).toEqualTypeOf<Readonly<Record<string, unknown>> | undefined>(),
    )
    expectTypeOf(channelOf(chats, 'lobby').members).toEqualTypeOf<Members | null>()
    expectTypeOf(channelOf(profiles, 'lobby').members).toEqualTypeOf<ReadonlyMap<
      string,
      Profile
    > | null>()
  })

  it('are not needed', () => {
    const plain = new ChannelstreamConnection()
    expectTypeOf(plain).toEqualTypeOf<ChannelstreamConnection>()
    plain.on('message', (event) => {
      expectTypeOf(event).toEqualTypeOf<MessageEvent>()
      expectTypeOf(event.message).toEqualTypeOf<Readonly<Record<string, unknown>> | undefined>()
    })
    plain.on('user_state_change', ({ message }) =>
      expectTypeOf(message.state).toEqualTypeOf<State>(),
    )
    expectTypeOf(channelOf(plain, 'lobby')).toEqualTypeOf<Channel>()
    expectTypeOf(channelOf(plain, 'lobby').members).toEqualTypeOf<ReadonlyMap<
      string,
      State
    > | null>()
  })

  it('have no other names, and events no other names than theirs', () => {
    // @ts-expect-error: neither `message` nor `state`
    expect(new ChannelstreamConnection<{ massage: Chat }>()).toBeDefined()
    // @ts-expect-error: no such event
    connection.on('massage', () => {})
    // @ts-expect-error: no such event
    connection.once('massage', () => {})
    // @ts-expect-error: the event is a message
    connection.on('message', (event: PresenceEvent<Typed>) => event.users)
  })

  it('change nothing of what arrives', async () => {
    const { connection: page } = fakePage()
    onTestFinished(() => page.closeConnection())
    const typed = page as ChannelstreamConnection<Typed>
    const texts: string[] = []
    typed.on('message', ({ message }) => texts.push(message.text))
    void page.connect()
    await settled()
    FakeSocket.last.open().deliver(newMessage('hi'))
    await settled()
    expect(texts).toEqual(['hi'])
  })
})
