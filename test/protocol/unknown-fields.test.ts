import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { complaintsOf } from '../../src/protocol/complaints.ts'
import { CountsRequest, InfoRequest } from '../../src/protocol/info-requests.ts'
import * as Requests from '../../src/protocol/requests.ts'
import { ignoringUnknownFields } from '../../src/protocol/unknown-fields.ts'

const UUID = '7f0c9b52-4a8e-4f0e-8a0e-6d2f0f6c1f11'
const SETTINGS = { history_size: 5 }
const DELIVERY = { channel: 'room', pm_users: ['ann'] }

/** A valid value of each request, and the paths to the objects in it. */
const REQUESTS: readonly (readonly [string, z.ZodType, object, readonly (readonly string[])[]])[] =
  [
    [
      'ConnectRequest',
      Requests.ConnectRequest,
      {
        username: 'ann',
        conn_id: UUID,
        channels: ['room'],
        user_state: { a: 1 },
        channel_configs: { room: SETTINGS },
        info: { include_users: false },
      },
      [[], ['channel_configs', 'room'], ['info']],
    ],
    [
      'SubscribeRequest',
      Requests.SubscribeRequest,
      { conn_id: UUID, channels: ['a'], channel_configs: { a: SETTINGS }, info: {} },
      [[], ['channel_configs', 'a'], ['info']],
    ],
    ['UnsubscribeRequest', Requests.UnsubscribeRequest, { conn_id: UUID, channels: ['a'] }, [[]]],
    ['UserStateRequest', Requests.UserStateRequest, { user: 'ann', user_state: { a: 1 } }, [[]]],
    ['ChannelConfigRequest', Requests.ChannelConfigRequest, { room: SETTINGS }, [['room']]],
    ['InfoRequest', InfoRequest, { info: { channels: ['a'] } }, [[], ['info']]],
    [
      'InfoRequest, older form',
      InfoRequest,
      { channels: ['a'], info: { include_users: false } },
      [[], ['info']],
    ],
    ['CountsRequest', CountsRequest, { counts: true, channels: ['a'], users: ['ann'] }, [[]]],
    ['DeletesRequest', Requests.DeletesRequest, [{ ...DELIVERY, uuid: UUID }], [['0']]],
    ['DisconnectUserRequest', Requests.DisconnectUserRequest, { username: 'ann' }, [[]]],
  ]

/** A copy of a value, with more members in the object at a path. */
function withMore(value: unknown, [step, ...rest]: readonly string[], more: object): unknown {
  if (step === undefined) return Object.assign({}, value, more)
  const copy = (
    Array.isArray(value) ? [...(value as unknown[])] : { ...(value as object) }
  ) as Record<string, unknown>
  copy[step] = withMore(copy[step], rest, more)
  return copy
}

const UNKNOWN = { nope: 1, 'x-other': { deep: [] }, constructor: null }

describe('a schema that ignores unknown fields', () => {
  it.each(REQUESTS)(
    'reads %s as if they were not there, on every level',
    (_, schema, value, paths) => {
      const ignoring = ignoringUnknownFields(schema)
      const expected = schema.parse(value)
      expect(ignoring.parse(value)).toEqual(expected)
      for (const path of paths) {
        const fuller = withMore(value, path, UNKNOWN)
        expect(schema.safeParse(fuller).success, `${path.join('.')} is refused`).toBe(false)
        expect(ignoring.parse(fuller), path.join('.')).toEqual(expected)
      }
    },
  )

  it.each(REQUESTS)('reports all other faults of %s as before', (_, schema, value) => {
    const ignoring = ignoringUnknownFields(schema)
    const broken = Object.keys(value).map((key) => withMore(value, [key], { '': { '': [] } }))
    for (const faulty of [null, 7, [], {}, [[]], [7], { '': 7 }, ...broken]) {
      const before = complaintsOf(schema, schema.safeParse(faulty).error?.issues ?? [])
      const now = complaintsOf(ignoring, ignoring.safeParse(faulty).error?.issues ?? [])
      expect(now, JSON.stringify(faulty)).toEqual(withoutUnknown(before))
    }
  })

  it.each([
    ['MessagesRequest', Requests.MessagesRequest, [{ user: 'a', channel: 'room', more: [1] }]],
    ['EditsRequest', Requests.EditsRequest, [{ uuid: UUID, channel: 'room', more: { a: 1 } }]],
  ] as const)('still passes on the additional keys of %s', (_, schema, value) => {
    expect(ignoringUnknownFields(schema).parse(value)).toMatchObject(value)
  })

  it('makes defaults that are not shared', () => {
    const schema = ignoringUnknownFields(z.strictObject({ list: z.array(z.string()).default([]) }))
    schema.parse({}).list.push('x')
    expect(schema.parse({}).list).toEqual([])
  })

  it('does not change the schema that it is made of', () => {
    const schema = z.strictObject({ a: z.strictObject({}).optional() })
    ignoringUnknownFields(schema)
    expect(schema.safeParse({ b: 1 }).success).toBe(false)
    expect(schema.safeParse({ a: { b: 1 } }).success).toBe(false)
  })

  it('looks into every kind of schema that has others inside', () => {
    const strict = z.strictObject({ a: z.number() })
    const value = { a: 1 }
    fc.assert(
      fc.property(
        fc.array(
          fc.constantFrom(
            (inner: z.ZodType) => inner.optional(),
            (inner: z.ZodType) => inner.nullable(),
            (inner: z.ZodType) => inner.default(null),
            (inner: z.ZodType) => inner.readonly(),
            (inner: z.ZodType) => z.preprocess((given) => given, inner),
            (inner: z.ZodType) => inner.pipe(z.unknown()),
            (inner: z.ZodType) => inner.or(z.never()),
            (inner: z.ZodType) => inner.refine(() => true),
          ),
          { maxLength: 6 },
        ),
        (wrappers) => {
          const wrapped = wrappers.reduce<z.ZodType>((inner, wrap) => wrap(inner), strict)
          const inAll = z.array(z.record(z.string(), wrapped))
          const fuller = [{ x: { ...value, nope: 1 } }]
          expect(inAll.safeParse(fuller).success).toBe(false)
          expect(ignoringUnknownFields(inAll).parse(fuller)).toEqual([{ x: value }])
        },
      ),
    )
  })
})

/** Complaints without those about unknown fields. */
function withoutUnknown(complaints: object): object {
  const entries = Object.entries(complaints).flatMap(([key, inner]: [string, unknown]) => {
    if (Array.isArray(inner)) return inner.includes('Unknown field.') ? [] : [[key, inner] as const]
    const rest = withoutUnknown(inner as object)
    return Object.keys(rest).length === 0 ? [] : [[key, rest] as const]
  })
  return Object.fromEntries(entries)
}
