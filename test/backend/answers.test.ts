/** The shapes that the library for backends checks, compared with the schemas of the server. */
import { describe, expect, it } from 'vitest'
import { ENDPOINTS } from '../../src/backend/endpoints.ts'
import * as Responses from '../../src/protocol/responses.ts'
import type { z } from 'zod'

const SCHEMAS: Record<keyof typeof ENDPOINTS, z.ZodType> = {
  connect: Responses.ConnectResponse,
  subscribe: Responses.SubscribeResponse,
  unsubscribe: Responses.UnsubscribeResponse,
  disconnect: Responses.DisconnectResponse,
  disconnectUser: Responses.DisconnectUserResponse,
  message: Responses.MessagesResponse,
  countedMessage: Responses.CountedMessagesResponse,
  edit: Responses.EditsResponse,
  delete: Responses.DeletesResponse,
  userState: Responses.UserStateResponse,
  channelConfig: Responses.ChannelsInfo,
  info: Responses.ChannelsInfo,
  history: Responses.HistoryResponse,
  counts: Responses.CountsResponse,
  admin: Responses.AdminResponse,
  health: Responses.HealthResponse,
}
const NAMES = Object.keys(SCHEMAS) as (keyof typeof ENDPOINTS)[]

/** The example of a schema, as a new value. Examples have every key that is not optional. */
function exampleOf(name: keyof typeof ENDPOINTS): unknown {
  const [example] = SCHEMAS[name].meta()?.examples as [unknown]
  return copyOf(example)
}
const copyOf = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

/** One value of each kind. No schema reads any of them as another kind, as it would read the text "1". */
const KINDS: readonly unknown[] = [null, 'a text', 7, true, [], {}, [{}], ['a'], { a: {} }]

/** Returns a value with each key of it removed, and each part of it replaced by a value of each kind. */
function* faulty(value: unknown): Generator<unknown> {
  yield* KINDS
  if (typeof value !== 'object' || value === null) return
  for (const [key, inner] of Object.entries(value)) {
    const changed = (replacement: unknown): unknown => {
      const copy = copyOf(value) as Record<string, unknown>
      if (replacement === undefined) Reflect.deleteProperty(copy, key)
      else copy[key] = replacement
      return copy
    }
    if (!Array.isArray(value)) yield changed(undefined)
    for (const part of faulty(inner)) yield changed(part)
  }
}

/** The library does not check the format of texts: uuids, times, lengths of names. */
const isFormat = ({ code, input }: z.core.$ZodIssue): boolean =>
  code !== 'invalid_type' && typeof input === 'string'

describe('the shape of an answer', () => {
  it.each(NAMES)('accepts what the schema accepts: %s', (name) => {
    const value = exampleOf(name)
    expect(SCHEMAS[name].safeParse(value).success).toBe(true)
    expect(ENDPOINTS[name].answer.check(value)).toBeUndefined()
    expect(value).toEqual(exampleOf(name))
  })

  it.each(NAMES)('is that of the schema, whatever kind of value is where: %s', (name) => {
    let refused = 0
    for (const value of faulty(exampleOf(name))) {
      const text = JSON.stringify(value)
      const { error, data } = SCHEMAS[name].safeParse(copyOf(value), { reportInput: true })
      const faults = error?.issues.filter(({ code }) => code !== 'unrecognized_keys') ?? []
      if (faults.some(isFormat)) continue
      const fault = ENDPOINTS[name].answer.check(value)
      if (fault) refused++
      expect(fault === undefined, text).toBe(faults.length === 0)
      // What is missing gets the default of the schema.
      if (!error) expect(value, text).toMatchObject(data as object)
    }
    expect(refused).toBeGreaterThan(3)
  })

  it('says where a fault is', () => {
    const value = exampleOf('info') as { users: object[] }
    value.users.push({ user: 1, state: {} })
    expect(ENDPOINTS.info.answer.check(value)).toEqual({
      path: ['users', String(value.users.length - 1), 'user'],
      text: 'not a string',
    })
    expect(ENDPOINTS.health.answer.check({})).toEqual({ path: ['status'], text: 'missing' })
  })
})
