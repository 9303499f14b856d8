import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dataOf, payloadOf, guestMessageOf, messageFromRedis } from '../../src/philote/translate.ts'
import { channelName } from '../contract/fixtures.ts'
import type { Payload } from '../../src/philote/translate.ts'

const written = (data: string, more: object = {}) => ({
  id: '',
  issuer: 'issuer',
  channel: 'room',
  data,
  event: '',
  ...more,
})

/** What a Philote reader gets when another client writes this. */
function roundTrip(data: string): string {
  const { message, philote } = guestMessageOf(written(data))
  return philote?.data ?? dataOf(message)
}

describe('text of a Philote client', () => {
  it('is the object that it spells', () => {
    expect(payloadOf('{"text": "hello"}')).toEqual({ text: 'hello' })
    expect(payloadOf(' \n{"data":"x"} ')).toEqual({ data: 'x' })
  })

  it.each(['hello', '', '[1]', '7', 'null', '"x"', '{', '{"a":1}x', '\u00a0{}', '{"a":"\u0001"}'])(
    'is %j as data where it spells none',
    (data) => expect(payloadOf(data)).toEqual({ data }),
  )

  it('is text where backends could not post the object', () => {
    const deep = `${'{"a":'.repeat(101)}1${'}'.repeat(101)}`
    for (const data of [deep, '{"__proto__":{"x":1}}', '{"a":[{"\\u005f_proto__":1}]}'])
      expect(payloadOf(data)).toEqual({ data })
    expect(({} as Payload)['x']).toBeUndefined()
  })

  it('reaches other Philote clients as it was written', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (data) => roundTrip(data) === data))
    fc.assert(fc.property(fc.json(), (data) => roundTrip(data) === data))
    fc.assert(
      fc.property(fc.object(), (value) => {
        for (const indent of [0, 2]) {
          const data = JSON.stringify(value, null, indent)
          if (roundTrip(data) !== data) return false
        }
        return true
      }),
    )
    for (const data of [
      '{"data":"x"}',
      '{ }',
      '{"a":1.0}',
      '{"a":1,"a":2}',
      '{"n":12345678901234567890}',
    ])
      expect(roundTrip(data)).toBe(data)
  })

  it('is kept beside the message only where the message does not say it', () => {
    expect(guestMessageOf(written('hello')).philote).toBeUndefined()
    expect(guestMessageOf(written('{"a":1}')).philote).toBeUndefined()
    expect(guestMessageOf(written('{"a": 1}')).philote).toEqual({ data: '{"a": 1}' })
    expect(guestMessageOf(written('{"data":"x"}')).philote).toEqual({ data: '{"data":"x"}' })
  })
})

describe('a message of a backend', () => {
  it('is its JSON to Philote, or the text that is all of it', () => {
    expect(dataOf({ text: 'hello', n: [1] })).toBe('{"text":"hello","n":[1]}')
    expect(dataOf({ data: 'hello' })).toBe('hello')
    expect(dataOf({ data: 'hello', more: 1 })).toBe('{"data":"hello","more":1}')
    expect(dataOf({ data: 7 })).toBe('{"data":7}')
    expect(dataOf({})).toBe('{}')
    expect(dataOf(undefined)).toBe('')
  })

  it('comes back as it went in', () => {
    fc.assert(
      fc.property(fc.object({ withNullPrototype: false }), (object) => {
        const message = JSON.parse(JSON.stringify(object)) as Payload
        // A text that is a JSON object becomes that object, by the first rule.
        if (typeof message['data'] === 'string' && Object.keys(message).length === 1) return
        if (JSON.stringify(message).includes('__proto__')) return
        expect(payloadOf(dataOf(message))).toEqual(message)
      }),
    )
  })
})

describe('a message on Redis', () => {
  it('keeps what it says of itself, for Philote readers', () => {
    const said = messageFromRedis(
      channelName('room'),
      written('hi', { id: '7', channel: 'elsewhere' }),
    )
    expect(said).toEqual({
      channel: 'room',
      user: 'issuer',
      message: { data: 'hi' },
      philote: { id: '7', issuer: 'issuer', channel: 'elsewhere', data: 'hi' },
    })
  })

  it('has a user, whatever its issuer is', () => {
    for (const issuer of ['', 'x'.repeat(513)])
      expect(messageFromRedis(channelName('room'), written('hi', { issuer })).user).toBe('philote')
  })
})
