/** Requests that name a user in place of a connection, on one server in memory and on two that share a Redis. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Backend, send, until } from '../helpers/http.ts'
import { SITES } from '../helpers/sites.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import type { Site } from '../helpers/sites.ts'

describe.each(SITES)('a user %s', (_where, start) => {
  let site: Site
  let backend: Backend
  beforeAll(async () => {
    site = await start()
    backend = new Backend(site)
    return () => site.close()
  }, 60_000)
  afterAll(closeClients)

  /** Two open connections on different servers, if there are several, and one that no client has opened. */
  async function connected(username: string, channels: readonly string[] = []) {
    const ids = [
      await backend.connect(username, channels),
      await backend.connect(username, channels),
      await backend.connect(username, channels),
    ] as const
    const listeners = [
      await Listener.open(site.next(), ids[0]),
      await Listener.open(site.next(), ids[1]),
    ] as const
    return { ids: [...ids].sort(), listeners }
  }

  const sorted = ({ conn_ids: ids }: { conn_ids: string[] }): string[] => ids.toSorted()

  it('is disconnected everywhere, and clients get the reason', async () => {
    const { ids, listeners } = await connected('banned')
    const other = await Listener.open(site.next(), await backend.connect('other'))
    const reason = 'gesperrt: Grüße,\n"moderation"'
    const answer = await backend.call<{ username: string; conn_ids: string[] }>(
      'POST /disconnect',
      { username: 'banned', reason },
    )
    expect([answer.username, sorted(answer)]).toEqual(['banned', ids])
    for (const listener of listeners) expect(await listener.closed).toEqual({ code: 1000, reason })
    expect((await backend.info()).users.map(({ user }) => user)).not.toContain('banned')
    expect(await backend.call('POST /disconnect', { username: 'banned' })).toEqual({
      username: 'banned',
      conn_ids: [],
    })
    await backend.call('POST /message', [
      { user: 'backend', pm_users: ['other'], message: { text: 'still here' } },
    ])
    await other.heard('still here')
  })

  it('gets the usual reason if none is given', async () => {
    const { listeners } = await connected('leaving')
    await backend.call('POST /disconnect', { username: 'leaving' })
    for (const listener of listeners)
      expect(await listener.closed).toEqual({ code: 1000, reason: 'connection ended' })
  })

  it('joins and leaves with all connections, once each', async () => {
    const { ids, listeners } = await connected('mover', ['base'])
    const subscribed = await backend.call<{ conn_ids: string[] }>('POST /subscribe', {
      username: 'mover',
      channels: ['room', 'base'],
    })
    expect(subscribed).toMatchObject({ channels: ['base', 'room'], subscribed_to: ['room'] })
    expect(sorted(subscribed)).toEqual(ids)
    await backend.say('room', 'hello')
    await Promise.all(listeners.map((listener) => listener.heard('hello')))
    const again = await backend.call('POST /subscribe', { username: 'mover', channels: ['room'] })
    expect(again).toMatchObject({ subscribed_to: [] })
    const left = await backend.call<{ conn_ids: string[] }>('POST /unsubscribe', {
      username: 'mover',
      channels: ['room', 'never in'],
    })
    expect(left).toMatchObject({ channels: ['base'], unsubscribed_from: ['room'] })
    expect(sorted(left)).toEqual(ids)
    await backend.say('room', 'not for them')
    await backend.say('base', 'for them')
    await Promise.all(listeners.map((listener) => listener.heard('for them')))
    for (const { texts } of listeners) expect(texts).toEqual(['hello', 'for them'])
  })

  it('who has no connections is no error', async () => {
    for (const path of ['subscribe', 'unsubscribe'])
      expect(
        await backend.call(`POST /${path}`, { username: 'nobody', channels: ['room'] }),
      ).toMatchObject({ channels: [], conn_ids: [] })
    expect((await backend.info()).users.map(({ user }) => user)).not.toContain('nobody')
  })

  it('cannot be disconnected without a signature', async () => {
    const connId = await backend.connect('safe')
    const json = { username: 'safe' }
    const { status, text } = await send(site, 'POST /disconnect', { json })
    expect([status, text]).toEqual([403, '{"request":"Forbidden"}'])
    expect(await backend.call('POST /disconnect', { conn_id: connId })).toBe(true)
  })

  it.each([
    ['POST /disconnect', { username: '' }, 'username'],
    ['POST /disconnect', { username: 7 }, 'username'],
    ['POST /disconnect', { username: 'ann', reason: '' }, 'reason'],
    ['POST /disconnect', { username: 'ann', reason: 'x'.repeat(124) }, 'reason'],
    ['POST /disconnect', { username: 'ann', reason: 'ü'.repeat(62) }, 'reason'],
    ['POST /disconnect', { username: 'ann', why: 'no such field' }, 'why'],
    ['POST /subscribe', { username: '', channels: ['a'] }, 'username'],
    ['POST /subscribe', { username: null, channels: ['a'] }, 'username'],
    [
      `POST /subscribe?conn_id=${crypto.randomUUID()}`,
      { username: 'a', channels: ['a'] },
      'username',
    ],
    [
      'POST /unsubscribe',
      { username: 'a', conn_id: crypto.randomUUID(), channels: ['a'] },
      'username',
    ],
  ])('%s refuses %j', async (line, json, field) => {
    const { status, body } = await backend.send(line, { json })
    expect([status, Object.keys(body as object)]).toEqual([422, [field]])
  })

  it('accepts a conn_id in the query of /disconnect, with an empty body', async () => {
    const connId = await backend.connect('by query')
    const answer = await send(site, `POST /disconnect?conn_id=${connId}`)
    expect([answer.status, answer.text]).toEqual([200, 'true'])
    await until(
      async () => !(await backend.info()).users.some(({ user }) => user === 'by query'),
      'the end',
    )
  })
})
