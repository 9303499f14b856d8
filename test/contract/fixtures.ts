/** Fixtures for tests of stores and of the core. */
import { ChannelSettings } from '../../src/protocol/requests.ts'
import type { ChannelName, ConnId, UserName } from '../../src/protocol/ids.ts'
import type {
  Attachment,
  ChannelRecord,
  Command,
  ConnectFacts,
  Connected,
  Delivery,
  EventBody,
  Publication,
  Store,
  StoredEvent,
  Topic,
  UserRecord,
} from '../../src/store/store.ts'

export const channelName = (name: string): ChannelName => name as ChannelName
export const userName = (name: string): UserName => name as UserName
export const channelNames = (...names: string[]): ChannelName[] => names.map(channelName)
export const userNames = (...names: string[]): UserName[] => names.map(userName)

/** A UUID that ends in `number`: readable, and the same in every run. */
export const uuidOf = (number: number): string =>
  `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`
export const connIdOf = (number: number): ConnId => uuidOf(number) as ConnId

export const settingsOf = (given: Partial<ChannelSettings> = {}): ChannelSettings =>
  ChannelSettings.parse(given)

export const settingsMap = (
  configs: Readonly<Record<string, Partial<ChannelSettings>>>,
): Map<ChannelName, ChannelSettings> =>
  new Map(Object.entries(configs).map(([name, given]) => [channelName(name), settingsOf(given)]))

export interface ConnectWishes {
  readonly id?: number
  readonly channels?: readonly string[]
  readonly configs?: Readonly<Record<string, Partial<ChannelSettings>>>
  readonly freshState?: ConnectFacts['freshState']
  readonly state?: ConnectFacts['state']
  readonly publicKeys?: readonly string[]
  readonly waitMs?: number
}

export function connectFacts(user: string, wishes: ConnectWishes = {}): ConnectFacts {
  const { id = 1, channels = [], configs = {}, freshState = {}, state = {} } = wishes
  const { publicKeys = [], waitMs = 15_000 } = wishes
  return {
    connId: connIdOf(id),
    user: userName(user),
    freshState,
    state,
    publicKeys,
    channels: channelNames(...channels),
    settings: settingsMap(configs),
    waitMs,
  }
}

/** All channels, with the requested parts. */
export const allChannels = async (
  store: Store,
  include: { readonly users: boolean; readonly history: boolean },
): Promise<readonly ChannelRecord[]> => store.channels(await store.channelNames(), include)

/** All users with a connection, with their connections. */
export const connectedUsers = async (store: Store): Promise<readonly UserRecord[]> =>
  store.users(await store.connectedUserNames(), { connections: true })

/** Connects. Throws if the store refuses. */
export async function connect(
  store: Store,
  user: string,
  wishes: ConnectWishes = {},
): Promise<Extract<Connected, { outcome: 'connected' }>> {
  const connected = await store.connect(connectFacts(user, wishes))
  if (connected.outcome !== 'connected') throw new Error(`not connected: ${connected.outcome}`)
  return connected
}

/** Opens a connection for a stream. */
export async function attach(store: Store, connId: ConnId): Promise<Attachment | undefined> {
  const attachment = await store.attach(connId, 'stream')
  if (typeof attachment === 'string') throw new Error(`a stream is not attached, but ${attachment}`)
  return attachment
}

export interface EventWishes {
  readonly uuid?: string
  readonly user?: string
  readonly text?: string
  readonly pmUsers?: readonly string[]
  readonly excludeUsers?: readonly string[]
  readonly noHistory?: boolean
  readonly more?: Readonly<Record<string, unknown>>
}

export const deliveryOf = (wishes: EventWishes = {}): Delivery => ({
  pmUsers: userNames(...(wishes.pmUsers ?? [])),
  excludeUsers: userNames(...(wishes.excludeUsers ?? [])),
  noHistory: wishes.noHistory ?? false,
})

function bodyOf(
  type: EventBody['type'],
  channel: string | null,
  { uuid = uuidOf(999), user, text, more }: EventWishes,
): EventBody {
  return {
    type,
    uuid,
    channel: channel === null ? null : channelName(channel),
    ...(type === 'message' && {
      timestamp: '2030-01-01T00:00:00.000000',
      user: user ?? 'somebody',
      edited: null,
    }),
    ...(type === 'message:edit' && { edited: '2030-01-01T00:01:00.000000' }),
    ...(user !== undefined && { user }),
    ...(text !== undefined && { message: { text } }),
    ...more,
  }
}

export const message = (channel: string, wishes: EventWishes = {}): Publication => ({
  body: bodyOf('message', channel, wishes),
  delivery: deliveryOf(wishes),
})

/** A private message without a channel. */
export const whisper = (users: readonly string[], wishes: EventWishes = {}): Publication => ({
  body: bodyOf('message', null, wishes),
  delivery: deliveryOf({ pmUsers: users, ...wishes }),
  users: userNames(...users),
})

export const edit = (channel: string, wishes: EventWishes = {}): Publication => ({
  body: bodyOf('message:edit', channel, wishes),
  delivery: deliveryOf(wishes),
})

export const retraction = (channel: string, wishes: EventWishes = {}): Publication => ({
  body: bodyOf('message:delete', channel, wishes),
  delivery: deliveryOf(wishes),
})

/** The same for several channels. */
export const inSeveral = (
  channels: readonly string[],
  { body, delivery }: Publication,
): Publication => ({
  body: { ...body, channel: null },
  delivery,
  channels: channelNames(...channels),
})

/** An event that is not a message. */
export const notice = (channel: string, wishes: EventWishes = {}): Publication => ({
  body: bodyOf('presence', channel, wishes),
  delivery: deliveryOf(wishes),
})

/** A private edit or delete of a message without a channel. */
export const privately = (users: readonly string[], publication: Publication): Publication => ({
  body: { ...publication.body, channel: null },
  delivery: { ...publication.delivery, pmUsers: userNames(...users) },
  users: userNames(...users),
})

/** An event as a store returns it. */
export function storedEvent(
  n: number,
  { body, delivery }: Publication = message('room'),
  epoch = 'epoch',
): StoredEvent {
  return { n, id: `${epoch}-${n}`, body, delivery }
}

export const textOf = ({ body }: Pick<StoredEvent, 'body'>): unknown =>
  (body['message'] as { text?: unknown } | undefined)?.text

export const textsOf = (events: readonly Pick<StoredEvent, 'body'>[]): unknown[] =>
  events.map(textOf)

/** Waits for an asynchronous effect, at most 30 seconds. */
export async function until(check: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 30_000
  while (!check()) {
    if (performance.now() > deadline) throw new Error(`waited 30 s for: ${what}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** The events that a store announces, in order. */
export class Heard {
  readonly announced: { readonly event: StoredEvent; readonly topics: readonly Topic[] }[] = []
  readonly commands: Command[] = []

  constructor(store: Store) {
    store.onEvent((event, topics) => void this.announced.push({ event, topics }))
    store.onCommand((command) => void this.commands.push(command))
  }

  get texts(): unknown[] {
    return textsOf(this.announced.map(({ event }) => event))
  }

  /** Returns all events before the one with this text, which must be the last one published. */
  async upTo(text: string): Promise<typeof this.announced> {
    await until(() => this.texts.includes(text), `the announcement of "${text}"`)
    return this.announced.slice(0, this.texts.indexOf(text))
  }

  async commanded(count: number): Promise<Command[]> {
    await until(() => this.commands.length >= count, `${count} commands`)
    return this.commands
  }
}
