/** Random operations of backends and clients. There are few names, so that operations affect each other. */
import fc from 'fast-check'

/** Some names break code that uses them as keys of plain objects. */
export const USERS = ['ann', 'bob', 'constructor'] as const
export const CHANNELS = ['a', 'b', '__proto__'] as const
/** In the state of every user, never among the public keys. */
export const PRIVATE_MARK = 'PRIVATE'

/** Numbers of connections. */
export const SLOTS = [0, 1, 2, 3] as const
const UUIDS = [1, 2, 3].map((n) => `11111111-1111-4111-8111-00000000000${n}`)

export const connIdOf = (slot: number): string => `00000000-0000-4000-8000-00000000000${slot}`

const who = (slot: number) => ({
  conn_id: connIdOf(slot),
  username: USERS[slot % USERS.length] ?? 'ann',
})

const slot = fc.constantFrom(...SLOTS)
const user = fc.constantFrom(...USERS)
const users = fc.oneof(
  { weight: 3, arbitrary: fc.constant<(typeof USERS)[number][]>([]) },
  { weight: 1, arbitrary: fc.array(user, { maxLength: 2 }) },
)
const channel = fc.constantFrom(...CHANNELS)
const channels = fc.array(channel, { minLength: 1, maxLength: 4 })
const often = fc.oneof(
  { weight: 4, arbitrary: fc.constant(true) },
  { weight: 1, arbitrary: fc.constant(false) },
)

const settings = fc.record(
  {
    notify_presence: often,
    store_history: often,
    history_size: fc.nat(3),
    broadcast_presence_with_user_lists: fc.boolean(),
    notify_state: often,
    store_frames: often,
  },
  { requiredKeys: ['notify_presence', 'store_history', 'notify_state'] },
)
const configs = fc.record({ a: settings, b: settings }, { requiredKeys: [] })

const scalar = fc.constantFrom('red', 1, true, null, '1')
const state = fc.record(
  {
    color: scalar,
    mood: scalar,
    secret: fc.nat(9).map((n) => `${PRIVATE_MARK}${n}`),
  },
  { requiredKeys: [] },
)
const publicKeys = fc.subarray(['color', 'mood', 'missing'])
const info = fc.record(
  {
    include_history: often,
    include_users: often,
    return_public_state: fc.boolean(),
    counts: fc.boolean(),
  },
  { requiredKeys: [] },
)

export interface Target {
  readonly channel: (typeof CHANNELS)[number] | null
  readonly channels?: (typeof CHANNELS)[number][]
}
const target = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.option(channel, { freq: 4 }).map((channel): Target => ({ channel })),
  },
  { weight: 1, arbitrary: channels.map((channels): Target => ({ channel: null, channels })) },
)
/** The channels of what is posted, each once; null for none. */
export const targetsOf = ({ channel, channels }: Target): (string | null)[] =>
  channels ? [...new Set(channels)] : [channel]
const delivery = { pm_users: users, exclude_users: users }
/** Adds a target to what is posted. */
const addressed = <Post>(post: fc.Arbitrary<Post>) =>
  fc.tuple(target, post).map(([where, what]) => ({ ...where, ...what }))
const payload = fc.oneof(
  { weight: 5, arbitrary: fc.constant('short') },
  { weight: 1, arbitrary: fc.constant('long') },
)
const uuid = fc.constantFrom(...UUIDS)

/** Expands a long payload when it is sent, so that counterexamples stay readable. */
export const writtenOut = <Payload extends { readonly text: string }>(payload: Payload): Payload =>
  payload.text === 'long' ? { ...payload, text: 'long '.repeat(400) } : payload

/** The payload contains its audience, so that a test can check each receiver. */
const message = addressed(
  fc.record({
    ...delivery,
    user,
    text: payload,
    uuid: fc.option(uuid, { nil: undefined }),
    no_history: fc.boolean(),
  }),
).map(({ text, uuid, ...rest }) => ({
  ...rest,
  ...(uuid && { uuid }),
  message: { text, to: rest.pm_users, not: rest.exclude_users },
}))
const edit = addressed(fc.record({ ...delivery, uuid, text: payload })).map(
  ({ text, ...rest }) => ({ ...rest, message: { text } }),
)

const list = <Item>(item: fc.Arbitrary<Item>) => fc.array(item, { minLength: 1, maxLength: 4 })

/** A slot mostly belongs to one user; sometimes another user requests the same conn_id. */
const connect = fc
  .record({
    slot,
    another: fc.option(user, { freq: 9 }),
    channels: fc.oneof(
      { weight: 5, arbitrary: channels },
      fc.constant<(typeof CHANNELS)[number][]>([]),
    ),
    channel_configs: configs,
    fresh_user_state: state,
    user_state: state,
    state_public_keys: publicKeys,
    info,
  })
  .map(({ slot, another, ...rest }) => ({
    request: { ...rest, ...who(slot), ...(another && { username: another }) },
  }))

const NOTHING_ELSE = { fresh_user_state: {}, user_state: {}, state_public_keys: [], info: {} }

const membership = fc
  .record({ slot, channels, channel_configs: configs, info })
  .map(({ slot, ...rest }) => ({ request: { ...rest, conn_id: connIdOf(slot) } }))

/** The cursor that a client sends. `back` counts from the newest event. */
export type CursorChoice = 'none' | 'older' | 'foreign' | 'ahead'
const cursor = fc.oneof(
  { weight: 6, arbitrary: fc.constant<CursorChoice>('none') },
  { weight: 2, arbitrary: fc.constant<CursorChoice>('older') },
  fc.constantFrom<CursorChoice>('foreign', 'ahead'),
)

const DETAILS = {
  connect,
  subscribe: membership,
  unsubscribe: membership.map(({ request }) => ({ request: { ...request, channel_configs: {} } })),
  configure: configs.map((request) => ({ request })),
  state: fc.record({
    request: fc.record({ user, user_state: state, state_public_keys: fc.option(publicKeys) }),
  }),
  post: fc.record({ request: list(message), isCounted: fc.boolean() }),
  edit: fc.record({ request: list(edit) }),
  remove: fc.record({ request: list(addressed(fc.record({ ...delivery, uuid }))) }),
  open: fc.record({ slot, cursor, back: fc.nat(20) }),
  /** Opens an event stream. */
  sse: fc.record({ slot, cursor, back: fc.nat(20) }),
  poll: fc.record({ slot, cursor, back: fc.nat(20) }),
  /** A poll is answered. Without `arrives`, the client disconnects before the answer leaves. */
  answer: fc.record({ slot, arrives: often }),
  /** `older`: picks a superseded sink if there is one. */
  leave: fc.record({ slot, older: fc.boolean() }),
  breakOff: fc.record({ slot, older: fc.boolean() }),
  stall: fc.record({ slot }),
  drain: fc.record({ slot }),
  fallSilent: fc.record({ slot }),
  disconnect: fc.record({ slot }),
  advance: fc.record({ seconds: fc.constantFrom(1, 4, 20) }),
}
type Details = typeof DETAILS
type Name = keyof Details
type ValueOf<Kind> = Kind extends fc.Arbitrary<infer Value> ? Value : never

export type Operation = { [Do in Name]: { readonly do: Do } & ValueOf<Details[Do]> }[Name]
export type OperationNamed<Do extends Name> = Extract<Operation, { readonly do: Do }>

const WEIGHTS: Record<Name, number> = {
  connect: 5,
  subscribe: 3,
  unsubscribe: 2,
  configure: 2,
  state: 2,
  post: 9,
  edit: 2,
  remove: 2,
  open: 6,
  sse: 4,
  poll: 3,
  answer: 2,
  leave: 2,
  breakOff: 4,
  stall: 4,
  drain: 2,
  fallSilent: 1,
  disconnect: 1,
  advance: 3,
}

const FIRST_SINKS = [[], ['poll'], ['open'], ['open'], ['open']] as const

/** Some sequences begin with attached clients. Otherwise channels would be empty most of the time. */
const arrivals = fc
  .subarray([...SLOTS])
  .chain((slots) =>
    fc.tuple(
      ...slots.map((slot) =>
        fc
          .record({ channels, channel_configs: configs, opens: fc.constantFrom(...FIRST_SINKS) })
          .map(({ opens, ...request }): Operation[] => [
            { do: 'connect', request: { ...NOTHING_ELSE, ...request, ...who(slot) } },
            ...opens.map((kind) => ({ do: kind, slot, cursor: 'none', back: 0 }) as const),
          ]),
      ),
    ),
  )
  .map((pairs) => pairs.flat())

/** Sequences of operations, except those in `without`. They shrink by removing operations. */
export function operations(maxLength: number, without: readonly Name[] = []) {
  const choices = (Object.keys(DETAILS) as Name[])
    .filter((name) => !without.includes(name))
    .map((name) => ({
      weight: WEIGHTS[name],
      arbitrary: (DETAILS[name] as fc.Arbitrary<object>).map(
        (details) => ({ do: name, ...details }) as Operation,
      ),
    }))
  const later = fc.array(fc.oneof(...choices), { maxLength, size: 'max' })
  return fc.tuple(arrivals, later).map(([first, rest]) => [...first, ...rest])
}

/** Settings of a hub. Limits are small, so that tests reach them. */
export const hubOptions = fc.record({
  gcConnsMs: fc.constant(15_000),
  resumeWindowMs: fc.constantFrom(0, 5_000, 15_000),
  gcUsersMs: fc.constantFrom(0, 10_000, 60_000),
  gcChannelsMs: fc.constantFrom(0, 0, 10_000, 60_000),
  channelFrames: fc.constantFrom(0, 2, 4, 50),
  userFrames: fc.constantFrom(0, 2, 50),
  maxOutboxBytes: fc.constantFrom(1_500, 5_000, 100_000),
})

/** The number of runs of a property. The environment variable RUNS overrides it for a longer search. */
export const runs = (usual: number): number => Number(process.env['RUNS'] || usual)
