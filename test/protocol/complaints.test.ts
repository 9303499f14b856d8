import { describe, expect, it } from 'vitest'
import { addComplaint, complaint, complaintsOf } from '../../src/protocol/complaints.ts'
import { InfoRequest } from '../../src/protocol/info-requests.ts'
import {
  ChannelConfigRequest,
  ConnectRequest,
  DeletesRequest,
  MessagesRequest,
  SubscribeRequest,
  UserStateRequest,
} from '../../src/protocol/requests.ts'
import type { z } from 'zod'
import type { Complaints } from '../../src/protocol/complaints.ts'

/** Returns the body of the 422 for `value`, or undefined if it is valid. */
function refusal(schema: z.ZodType, value: unknown): unknown {
  const { error } = schema.safeParse(value)
  return error && JSON.parse(JSON.stringify(complaintsOf(schema, error.issues)))
}

const MISSING = ['Missing data for required field.']
const NULL = ['Field may not be null.']
const UNKNOWN = ['Unknown field.']
const TYPE = ['Invalid input type.']
const STRING = ['Not a valid string.']
const SCALAR = ['Value is not type of string, integer, boolean or float.']

describe('complaints', () => {
  it('stand under the field that they are about', () => {
    expect(refusal(ConnectRequest, {})).toEqual({ username: MISSING })
    expect(refusal(ConnectRequest, { username: null })).toEqual({ username: NULL })
    expect(refusal(ConnectRequest, { username: 7 })).toEqual({ username: STRING })
    expect(refusal(ConnectRequest, { username: '' })).toEqual({
      username: ['Length must be between 1 and 512.'],
    })
  })

  it('come all at once', () => {
    const request = {
      conn_id: 'x',
      channels: 'room',
      user_state: [],
      state_public_keys: null,
      more: 1,
    }
    expect(refusal(ConnectRequest, request)).toEqual({
      username: MISSING,
      conn_id: ['Not a valid UUID.'],
      channels: ['Not a valid list.'],
      user_state: ['Not a valid mapping type.'],
      state_public_keys: NULL,
      more: UNKNOWN,
    })
  })

  it('stand under the index in a list', () => {
    expect(refusal(ConnectRequest, { username: 'ann', channels: ['a', '', 7, null] })).toEqual({
      channels: {
        1: ['Length must be between 1 and 256.'],
        2: STRING,
        3: NULL,
      },
    })
  })

  it('stand under the key and then value in a map', () => {
    const request = {
      username: 'ann',
      user_state: { fine: 1, nested: {} },
      channel_configs: { room: { notify_presence: 'maybe', history_size: -1, more: 1 } },
    }
    expect(refusal(ConnectRequest, request)).toEqual({
      user_state: { nested: { value: SCALAR } },
      channel_configs: {
        room: {
          value: {
            notify_presence: ['Not a valid boolean.'],
            history_size: ['Must be greater than or equal to 0.'],
            more: UNKNOWN,
          },
        },
      },
    })
  })

  it('stand under _schema where an object is asked for and something else is there', () => {
    for (const body of ['text', 7, null, [], true])
      expect(refusal(ConnectRequest, body)).toEqual({ _schema: TYPE })
    expect(refusal(ConnectRequest, { username: 'ann', info: 'all' })).toEqual({
      info: { _schema: TYPE },
    })
    expect(refusal(ConnectRequest, { username: 'ann', channel_configs: { room: [] } })).toEqual({
      channel_configs: { room: { value: { _schema: TYPE } } },
    })
    expect(refusal(MessagesRequest, ['text', { user: 'ann' }, []])).toEqual({
      0: { _schema: TYPE },
      2: { _schema: TYPE },
    })
  })

  it('say of a missing or empty object that it is missing or null', () => {
    expect(refusal(ConnectRequest, { username: 'ann', info: null })).toEqual({ info: NULL })
    expect(refusal(InfoRequest, {})).toEqual({ info: MISSING })
  })

  it('stand under the index of the message that they are about', () => {
    const list = [{ user: 'ann' }, { user: 7, timestamp: 'now', message: 'text', pm_users: [''] }]
    expect(refusal(MessagesRequest, list)).toEqual({
      1: {
        user: STRING,
        timestamp: ['Not a valid datetime.'],
        message: ['Not a valid mapping type.'],
        pm_users: { 0: ['Length must be between 1 and 512.'] },
      },
    })
    expect(refusal(DeletesRequest, [{ uuid: 'x', mood: 1 }, {}])).toEqual({
      0: { uuid: ['Not a valid UUID.'], mood: UNKNOWN },
      1: { uuid: MISSING },
    })
    expect(refusal(MessagesRequest, {})).toEqual({ _schema: TYPE })
  })

  it('say that there must be a channel', () => {
    const conn_id = 'c0ffee00-1234-4abc-9def-0123456789ab'
    expect(refusal(SubscribeRequest, { conn_id, channels: [] })).toEqual({
      channels: ['Shorter than minimum length 1.'],
    })
    expect(refusal(SubscribeRequest, { conn_id, channels: null })).toEqual({ channels: NULL })
  })

  it('are of fields named by callers, whatever the name', () => {
    const odd = JSON.parse(
      '{"user": "ann", "user_state": {"constructor": {}, "value": []}}',
    ) as object
    expect(refusal(UserStateRequest, odd)).toEqual({
      user_state: { constructor: { value: SCALAR }, value: { value: SCALAR } },
    })
    expect(refusal(ConnectRequest, { username: 'ann', toString: 1 })).toEqual({ toString: UNKNOWN })
    const unknown = JSON.parse('{"username": "ann", "__proto__": 1}') as object
    expect(Object.keys(refusal(ConnectRequest, unknown) as object)).toEqual(['__proto__'])
  })

  describe('beyond a hundred', () => {
    const MORE = ['There are more faults.']
    const fields = (count: number, name = (n: number): string => `field ${n}`) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [name(n), 1]))

    it('are left out, and it is said that there are more', () => {
      expect(refusal(ConnectRequest, { username: 'ann', ...fields(100) })).toEqual(
        Object.fromEntries(Object.keys(fields(100)).map((name) => [name, UNKNOWN])),
      )
      expect(refusal(ConnectRequest, { username: 'ann', ...fields(101) })).toEqual({
        ...Object.fromEntries(Object.keys(fields(100)).map((name) => [name, UNKNOWN])),
        _schema: MORE,
      })
    })

    it('are counted in all fields together', () => {
      const channels = Array.from({ length: 60 }, () => '')
      const told = refusal(ConnectRequest, {
        username: 7,
        channels,
        user_state: fields(60),
        info: 1,
      })
      expect(told).not.toHaveProperty('_schema')
      const list = refusal(
        MessagesRequest,
        [...Array(50).keys()].map(() => ({ user: 7, uuid: 'x' })),
      )
      expect(list).not.toHaveProperty('_schema')
      const longer = refusal(
        MessagesRequest,
        [...Array(51).keys()].map(() => ({ user: 7, uuid: 'x' })),
      )
      expect(longer).toEqual({ ...(list as object), _schema: MORE })
    })

    it('or beyond so many characters: the rest is left out as well', () => {
      const told = refusal(
        ConnectRequest,
        fields(90, (n) => `${n}`.padEnd(900, 'x')),
      )
      expect(told).toMatchObject({ username: MISSING, _schema: MORE })
      expect(JSON.stringify(told).length).toBeLessThan(70_000)
    })

    it('stand under names that are cut where callers made them too long', () => {
      const told = refusal(ConnectRequest, { username: 'ann', ['x'.repeat(500_000)]: 1 })
      expect(told).toEqual({ [`${'x'.repeat(1_000)}…`]: UNKNOWN })
    })
  })

  it('of a map as the whole body stand under its keys', () => {
    expect(refusal(ChannelConfigRequest, [])).toEqual({ _schema: TYPE })
    expect(refusal(ChannelConfigRequest, { room: { more: 1 } })).toMatchObject({
      room: expect.anything() as unknown,
    })
  })
})

describe('adding a complaint', () => {
  it('puts it at the path', () => {
    expect(complaint(['a', 'b', 'c'], 'wrong')).toEqual({ a: { b: { c: ['wrong'] } } })
    expect(complaint([], 'wrong')).toEqual({ _schema: ['wrong'] })
  })

  it('adds to what is there', () => {
    const complaints: Complaints = complaint(['a', 'b'], 'wrong')
    addComplaint(complaints, ['a', 'b'], 'and ugly')
    addComplaint(complaints, ['a', 'c'], 'missing')
    addComplaint(complaints, ['d'], 'unknown')
    expect(complaints).toEqual({
      a: { b: ['wrong', 'and ugly'], c: ['missing'] },
      d: ['unknown'],
    })
  })

  it('lets a complaint about the whole stand for its parts', () => {
    const complaints = complaint(['a'], 'wrong type')
    addComplaint(complaints, ['a', 'b'], 'missing')
    expect(complaints).toEqual({ a: ['wrong type'] })
  })

  it('changes nothing about what objects are', () => {
    const complaints = complaint(['__proto__', 'polluted'], 'wrong')
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
    expect(JSON.stringify(complaints)).toBe('{"__proto__":{"polluted":["wrong"]}}')
  })
})
