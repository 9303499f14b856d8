import { describe, expect, it } from 'vitest'
import { RequestError } from '../../src/protocol/errors.ts'
import { checkList, checkSettings, stateTooLarge } from '../../src/core/limits.ts'
import { settingsOf } from '../contract/fixtures.ts'

const LIMITS = {
  maxMessagesPerRequest: 3,
  maxChannelsPerRequest: 3,
  maxHistorySize: 50,
  maxStateBytes: 100,
}

/** The complaints that a check throws, undefined if it is content. */
function complaintsOf(check: () => void): unknown {
  try {
    check()
    return undefined
  } catch (error) {
    expect(error).toBeInstanceOf(RequestError)
    expect(error).toMatchObject({ code: 'INVALID' })
    return (error as RequestError).complaints
  }
}

describe('limits of a request', () => {
  it('let a list be as long as the limit, and no longer', () => {
    expect(complaintsOf(() => checkList([1, 2, 3], 3))).toBeUndefined()
    expect(complaintsOf(() => checkList([1, 2, 3, 4], 3))).toEqual({
      _schema: ['Longer than maximum length 3.'],
    })
  })

  it('name the field of the list', () => {
    expect(complaintsOf(() => checkList([1], 0, 'channels'))).toEqual({
      channels: ['Longer than maximum length 0.'],
    })
  })

  it('let a history be as large as the limit, and no larger', () => {
    const configs = { fits: settingsOf({ history_size: 50 }) }
    expect(complaintsOf(() => checkSettings(configs, LIMITS, () => []))).toBeUndefined()
  })

  it('name every channel whose history is too large, where the request has it', () => {
    const configs = {
      one: settingsOf({ history_size: 51 }),
      fits: settingsOf({ history_size: 0 }),
      two: settingsOf({ history_size: 9999 }),
    }
    const told = { history_size: ['Must be less than or equal to 50.'] }
    expect(
      complaintsOf(() => checkSettings(configs, LIMITS, (name) => ['configs', name, 'value'])),
    ).toEqual({ configs: { one: { value: told }, two: { value: told } } })
  })

  it('tell how large a state may be', () => {
    expect(stateTooLarge(LIMITS).complaints).toEqual({
      user_state: ['State is larger than 100 bytes.'],
    })
  })
})
