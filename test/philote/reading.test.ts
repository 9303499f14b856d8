import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { messageJson } from '../../src/philote/frames.ts'
import { membersOf } from '../../src/philote/go-json.ts'
import { JWT_FIELDS, REDIS_FIELDS, readMessage } from '../../src/philote/incoming.ts'

const read = (text: string) => {
  const message = readMessage(text, JWT_FIELDS)
  return message && { channel: message.channel, data: message.data }
}

describe('a frame', () => {
  it.each([
    ['{"channel":"a","data":"b"}', { channel: 'a', data: 'b' }],
    [' {"Data":"b" , "CHANNEL" : "a"}\n', { channel: 'a', data: 'b' }],
    ['{"channel":"a","channel":"b"}', { channel: 'b', data: '' }],
    ['{"channel":"a","Channel":"b","channel":"c"}', { channel: 'c', data: '' }],
    ['{"data":"a","data":null}', { channel: '', data: 'a' }],
    ['{"1":[{"data":"x"}],"data":"a","more":{"a":"}"},"x":"\\\\"}', { channel: '', data: 'a' }],
    ['{"d\\u0061ta":"a"}', { channel: '', data: 'a' }],
    ['{"data":"\\ud800x"}', { channel: '', data: '\ufffdx' }],
    ['{"iſſuer":"x","data":"a"}', { channel: '', data: 'a' }],
    ['{"issuer":null,"event":5}', { channel: '', data: '' }],
    ['{}', { channel: '', data: '' }],
  ])('%s is read as Go reads it', (text, message) => expect(read(text)).toEqual(message))

  it.each([
    '',
    ' ',
    'null',
    '[]',
    '7',
    'true',
    '"x"',
    '{',
    '{}x',
    '\ufeff{}',
    "{'data':'a'}",
    '{"data":5}',
    '{"data":[]}',
    '{"channel":{}}',
    '{"issuer":1}',
    '{"data":5,"data":"a"}',
    '{"data":"a","DATA":1}',
    '{"data":"\\x"}',
    '{"iſſuer":7}',
  ])('%j is none', (text) => expect(read(text)).toBeUndefined())

  it('comes back as it was written, whatever it holds', () => {
    const text = fc.string({ unit: 'binary' })
    fc.assert(
      fc.property(text, text, text, text, text, (id, issuer, channel, data, event) => {
        const message = { id, issuer, channel, data, event }
        expect(readMessage(messageJson(message), REDIS_FIELDS)).toEqual(message)
      }),
    )
  })

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => void read(text)))
    fc.assert(fc.property(fc.json(), (text) => void read(text)))
  })
})

describe('members of an object', () => {
  it('are those of JSON.parse where no name comes twice', () => {
    fc.assert(
      fc.property(fc.object(), (object) => {
        const text = JSON.stringify(object)
        expect(Object.fromEntries(membersOf(text) ?? [])).toEqual(JSON.parse(text))
      }),
    )
  })

  it('are at most a thousand, and more are not looked at', () => {
    const object = (count: number): string => `{${'"data":"x",'.repeat(count - 1)}"a":1}`
    expect(membersOf(object(1_000))).toHaveLength(1_000)
    expect(membersOf(object(1_001))).toBeUndefined()
    const begun = process.cpuUsage()
    expect(membersOf(object(500_000))).toBeUndefined()
    expect(process.cpuUsage(begun).user / 1000).toBeLessThan(1000)
  })
})

describe('a message on the wire', () => {
  it('is escaped as Go does', () => {
    const data = '<>&\u2028\u2029\b\f\n\r\t\u0001\u007f\\b"\ud800é🎉'
    expect(messageJson({ id: '', issuer: '', channel: '', data, event: '' })).toBe(
      '{"data":"\\u003c\\u003e\\u0026\\u2028\\u2029\\u0008\\u000c\\n\\r\\t\\u0001\u007f\\\\b\\"\ufffdé🎉"}',
    )
  })
})
