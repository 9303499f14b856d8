import { describe, expect, it } from 'vitest'
import { ChannelRules } from '../../src/core/channel-rules.ts'
import { channelNames, settingsOf } from '../contract/fixtures.ts'
import type { ChannelRulesOptions } from '../../src/core/channel-rules.ts'
import type { ChannelConfig } from '../../src/protocol/requests.ts'

function rulesOf(
  sections: Readonly<Record<string, ChannelConfig>>,
  more: Partial<ChannelRulesOptions> = {},
): ChannelRules {
  const list = Object.entries(sections).map(([pattern, settings]) => ({ pattern, settings }))
  return new ChannelRules({ sections: list, defaults: {}, allowUnlisted: true, ...more })
}

const settings = (rules: ChannelRules, name: string, given?: ChannelConfig) =>
  [...rules.settingsFor(channelNames(name), given && { [name]: given }).values()][0]

describe('the settings of a new channel', () => {
  it('are the defaults if no section matches', () => {
    expect(settings(new ChannelRules(), 'lobby')).toEqual(settingsOf())
    const rules = rulesOf({ 'chat-*': { history_size: 5 } }, { defaults: { history_ttl: 60 } })
    for (const name of ['chat', 'Chat-1', 'a chat-1', 'constructor', '__proto__'])
      expect(settings(rules, name), name).toEqual(settingsOf({ history_ttl: 60 }))
  })

  it('are those of the longest match, and of no other section', () => {
    const rules = rulesOf({
      '*': { history_size: 1, notify_state: true },
      'chat-*': { history_size: 2 },
      'chat-vip-*': { history_size: 3 },
      'chat-vip-1': { history_size: 4 },
      'chat-vip-12*': { history_size: 5 },
    })
    const sizes = [
      'news',
      'chat-',
      'chat-vip',
      'chat-vip-',
      'chat-vip-2',
      'chat-vip-1',
      'chat-vip-123',
    ]
    expect(sizes.map((name) => settings(rules, name)?.history_size)).toEqual([1, 2, 2, 3, 3, 4, 5])
    expect(settings(rules, 'chat-1')).toEqual(settingsOf({ history_size: 2 }))
  })

  it('are those of the request, setting by setting, before those of the section, and these before the defaults', () => {
    const rules = rulesOf(
      { 'chat-*': { history_size: 5, store_history: true } },
      { defaults: { history_ttl: 60, history_size: 7 } },
    )
    expect(settings(rules, 'chat-1', { history_size: 9, notify_presence: true })).toEqual(
      settingsOf({ history_size: 9, notify_presence: true, store_history: true, history_ttl: 60 }),
    )
    expect(settings(rules, 'chat-1', { history_ttl: 0, store_history: false })).toEqual(
      settingsOf({ history_size: 5 }),
    )
    expect(settings(rules, 'other', {})).toEqual(settingsOf({ history_size: 7, history_ttl: 60 }))
  })

  it('count characters outside the basic plane as they are', () => {
    const rules = rulesOf({ '\u{1f600}*': { history_size: 1 }, '\u{1f600}': { history_size: 2 } })
    expect(settings(rules, '\u{1f600}')?.history_size).toBe(2)
    expect(settings(rules, '\u{1f600}\u{1f601}')?.history_size).toBe(1)
    expect(settings(rules, '\u{1f601}')?.history_size).toBe(10)
  })
})

describe('channels that no section matches', () => {
  const strict = rulesOf({ 'chat-*': {}, lobby: {} }, { allowUnlisted: false })
  const lax = rulesOf({ lobby: {} })

  it('may exist unless that is switched off', () => {
    const names = ['lobby', 'chat-1', 'chat-', 'lobby2', 'Lobby', 'chat']
    expect(names.map((name) => strict.isListed(name))).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
    ])
    expect(names.every((name) => lax.isListed(name))).toBe(true)
  })

  it('are refused under the field that names them', () => {
    const refusal = (check: () => void): unknown => {
      try {
        check()
      } catch (error) {
        return (error as { complaints: unknown }).complaints
      }
      return undefined
    }
    const text = ['Not a listed channel.']
    const request = { channels: ['lobby', 'loby', 'chat-1', 'caht-1'], channel_configs: { x: {} } }
    expect(refusal(() => strict.checkChannels(request))).toEqual({
      channels: { 1: text, 3: text },
      channel_configs: { x: text },
    })
    expect(refusal(() => strict.checkConfigs({ lobby: {}, loby: {} }))).toEqual({ loby: text })
    const messages = [{ channel: 'lobby' }, { channel: null }, { channel: 'loby' }]
    expect(refusal(() => strict.checkMessages(messages))).toEqual({ 2: { channel: text } })
    expect(refusal(() => lax.checkChannels(request))).toBeUndefined()
    expect(refusal(() => lax.checkMessages(messages))).toBeUndefined()
  })
})
