import { describe, expect, it } from 'vitest'
import {
  allChannels,
  connectedUsers,
  channelNames,
  connIdOf,
  connect,
  connectFacts,
  userName,
} from './fixtures.ts'
import type { State, Store, UserRecord } from '../../src/store/store.ts'
import type { OpenBench } from './bench.ts'

async function userOf(store: Store, name: string): Promise<UserRecord | undefined> {
  return (await store.users([userName(name)]))[0]
}

async function setState(store: Store, state: State, publicKeys?: readonly string[]) {
  const change = await store.setUserState(userName('ann'), state, publicKeys)
  if (change === undefined || change === 'state-too-large') throw new Error(String(change))
  return change
}

/** A state whose JSON has this number of bytes. */
const stateOf = (bytes: number): State => ({ k: 'x'.repeat(bytes - '{"k":""}'.length) })

export function users(openBench: OpenBench): void {
  describe('connect', () => {
    it('makes a user and a connection that were not known', async () => {
      const { store } = await openBench()
      expect(await store.hasUser(userName('ann'))).toBe(false)
      expect(await store.hasConnection(connIdOf(1))).toBe(false)
      const { user } = await connect(store, 'ann', { state: { mood: 'fine' } })
      expect(user).toMatchObject({ name: 'ann', state: { mood: 'fine' }, publicKeys: [] })
      expect(user.uuid).toMatch(/^[0-9a-f-]{36}$/)
      expect(await store.hasUser(userName('ann'))).toBe(true)
      expect(await store.hasConnection(connIdOf(1))).toBe(true)
    })

    it('keeps the user, and its uuid, over further connections', async () => {
      const { store } = await openBench()
      const { user: first } = await connect(store, 'ann', { id: 1, state: { a: 1 } })
      const { user: second } = await connect(store, 'ann', { id: 2, state: { b: 2 } })
      expect(second).toMatchObject({ uuid: first.uuid, state: { a: 1, b: 2 } })
      const [ann] = await connectedUsers(store)
      expect([...(ann?.connections ?? [])].sort()).toEqual([connIdOf(1), connIdOf(2)])
    })

    it('keeps the one connection of a known id, in its channels and in the new ones', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { channels: ['old', 'both'] })
      await connect(store, 'ann', { channels: ['both', 'new'] })
      expect(await store.figures()).toMatchObject({ connections: 1, connectedUsers: 1 })
      const membership = await store.join(connIdOf(1), [], new Map())
      expect([...(membership?.channels ?? [])].sort()).toEqual(['both', 'new', 'old'])
      const [both] = await store.channels(channelNames('both'), { users: false, history: false })
      expect(both?.connections).toBe(1)
    })

    it('refuses an id that another user has, with nothing half done', async () => {
      const { store } = await openBench()
      await connect(store, 'ann')
      const facts = connectFacts('bob', { channels: ['room'], state: { a: 1 } })
      expect(await store.connect(facts)).toEqual({ outcome: 'taken' })
      expect(await store.hasUser(userName('bob'))).toBe(false)
      expect(await allChannels(store, { users: true, history: true })).toEqual([])
      expect(await store.users([userName('ann'), userName('bob')])).toHaveLength(1)
    })

    it('gives an id out again once its connection has ended', async () => {
      const { store } = await openBench()
      await connect(store, 'ann')
      await store.drop(connIdOf(1))
      expect((await store.connect(connectFacts('bob'))).outcome).toBe('connected')
    })

    it('refuses a state that is too large, with nothing half done', async () => {
      const { store } = await openBench()
      const facts = connectFacts('ann', { channels: ['room'], state: stateOf(201) })
      expect(await store.connect(facts)).toEqual({ outcome: 'state-too-large' })
      expect(await store.hasUser(userName('ann'))).toBe(false)
      expect(await store.hasConnection(connIdOf(1))).toBe(false)
      expect(await store.figures()).toMatchObject({ users: 0, connections: 0, channels: 0 })
      expect((await store.connect(connectFacts('ann', { state: stateOf(200) }))).outcome).toBe(
        'connected',
      )
    })

    it('leaves a known user as it was when the state would get too large', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { state: { a: 1 }, publicKeys: ['a'] })
      const facts = connectFacts('ann', { id: 2, state: stateOf(198), publicKeys: ['k'] })
      expect(await store.connect(facts)).toEqual({ outcome: 'state-too-large' })
      expect(await userOf(store, 'ann')).toMatchObject({ state: { a: 1 }, publicKeys: ['a'] })
      expect(await store.hasConnection(connIdOf(2))).toBe(false)
    })

    it('measures a state in bytes, not in characters', async () => {
      const { store } = await openBench()
      const state = { k: 'é'.repeat(100) }
      expect(await store.connect(connectFacts('ann', { state }))).toEqual({
        outcome: 'state-too-large',
      })
    })

    it('takes a fresh state for users that are not known only', async () => {
      const { store } = await openBench()
      const { user } = await connect(store, 'ann', { freshState: { a: 1, b: 1 }, state: { b: 2 } })
      expect(user.state).toEqual({ a: 1, b: 2 })
      const again = await connect(store, 'ann', { id: 2, freshState: { a: 9, c: 9 } })
      expect(again.user.state).toEqual({ a: 1, b: 2 })
    })

    it('remembers a user without connections, so that a fresh state does not count', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { freshState: { a: 1 } })
      await store.drop(connIdOf(1))
      const { user } = await connect(store, 'ann', { freshState: { a: 9 } })
      expect(user.state).toEqual({ a: 1 })
    })

    it('replaces the public keys, by none as well', async () => {
      const { store } = await openBench()
      const { user } = await connect(store, 'ann', {
        state: { a: 1, b: 2 },
        publicKeys: ['a', 'z'],
      })
      expect(user).toMatchObject({ publicKeys: ['a', 'z'], publicState: { a: 1 } })
      const again = await connect(store, 'ann', { publicKeys: [] })
      expect(again.user).toMatchObject({ publicKeys: [], publicState: {}, state: { a: 1, b: 2 } })
    })
  })

  describe('state', () => {
    it('answers what changed, and keeps what was not named', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { state: { a: 1, b: 2 } })
      const { user, changed } = await setState(store, { b: 3, c: 'new', a: 1 })
      expect(user.state).toEqual({ a: 1, b: 3, c: 'new' })
      expect(changed).toEqual([
        { key: 'b', value: 3 },
        { key: 'c', value: 'new' },
      ])
    })

    it.each([
      [1, true],
      [1, '1'],
      [0, false],
      ['', null],
      [0, null],
      ['true', true],
    ])('takes %j and %j for different values', async (before, after) => {
      const { store } = await openBench()
      await connect(store, 'ann', { state: { key: before } })
      const { user, changed } = await setState(store, { key: after })
      expect(changed).toEqual([{ key: 'key', value: after }])
      expect(user.state).toEqual({ key: after })
    })

    it('takes null for a key that is not there for no change', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { freshState: { x: null }, state: { y: null } })
      const { user, changed } = await setState(store, { z: null })
      expect(changed).toEqual([])
      expect(user.state).toEqual({})
    })

    it('keeps a key that was set to null', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { state: { a: 1 } })
      expect((await setState(store, { a: null })).user.state).toEqual({ a: null })
      expect((await setState(store, { a: null })).changed).toEqual([])
    })

    it('keeps the public keys unless it is given others', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { state: { a: 1, b: 2 }, publicKeys: ['a'] })
      expect((await setState(store, {})).user.publicKeys).toEqual(['a'])
      const { user } = await setState(store, {}, ['b'])
      expect(user).toMatchObject({ publicKeys: ['b'], publicState: { b: 2 } })
      expect((await setState(store, {}, [])).user.publicState).toEqual({})
    })

    it('refuses what would make it too large, with nothing half done', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { state: { a: 1 }, publicKeys: ['a'] })
      expect(await store.setUserState(userName('ann'), stateOf(198), ['k'])).toBe('state-too-large')
      expect(await userOf(store, 'ann')).toMatchObject({ state: { a: 1 }, publicKeys: ['a'] })
    })

    it('knows no state of a user that it does not know', async () => {
      const { store } = await openBench()
      expect(await store.setUserState(userName('ann'), { a: 1 }, undefined)).toBeUndefined()
      expect(await store.hasUser(userName('ann'))).toBe(false)
    })
  })

  describe('users', () => {
    it('are read by name, unknown ones passed over', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { id: 1 })
      await connect(store, 'bob', { id: 2 })
      const names = new Set([userName('bob'), userName('nobody'), userName('ann')])
      const found = await store.users(names)
      expect(found.map(({ name }) => name).sort()).toEqual(['ann', 'bob'])
    })

    it('are connected as long as they have a connection', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { id: 1 })
      await connect(store, 'bob', { id: 2 })
      await store.drop(connIdOf(1))
      const connected = await connectedUsers(store)
      expect(connected.map(({ name, connections }) => ({ name, connections }))).toEqual([
        { name: 'bob', connections: [connIdOf(2)] },
      ])
      expect(await store.hasUser(userName('ann'))).toBe(true)
    })

    it('are handed out as they were: a record does not change afterwards', async () => {
      const { store } = await openBench()
      const { user } = await connect(store, 'ann', { state: { a: 1 }, publicKeys: ['a'] })
      const [listed] = await connectedUsers(store)
      const before = structuredClone({ user, listed })
      await setState(store, { a: 2, b: 3 }, ['b'])
      await connect(store, 'ann', { id: 2 })
      expect({ user, listed }).toEqual(before)
    })
  })
}
