import net from 'node:net'
import fc from 'fast-check'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { until } from '../helpers/http.ts'
import { startServer } from '../helpers/server.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import { aClient, listen } from './fakes.ts'
import type { Socket } from 'node:net'
import type { Address } from '../helpers/http.ts'

afterEach(closeClients)

/** Where a proxy cuts a connection: before or after the server handles the request, or not at all. */
type Cut = 'before' | 'within request' | 'after' | 'within answer' | 'none'
/**
 * Two of three requests get through. With more cuts, the growing pauses between retries would make the test too slow.
 */
const CUTS: readonly Cut[] = [
  'before',
  'within request',
  'after',
  'within answer',
  ...Array<Cut>(8).fill('none'),
]

/** Starts a proxy that cuts each connection as `next` says. It counts cuts, and answers of the server that got lost. */
async function startCuttingProxy(server: Address, next: () => Cut) {
  const seen = { cuts: 0, answersLost: 0 }
  const { port } = await listen((socket) => {
    let cut = next()
    const line = net.connect(server.port, server.host)
    const abort = (): void => {
      seen.cuts++
      socket.destroy()
      line.destroy()
    }
    socket.on('data', (data: Buffer) => {
      if (cut === 'before') return abort()
      if (cut !== 'within request') return void line.write(data)
      line.write(data.subarray(0, data.length - 10), abort)
    })
    line.on('data', (data: Buffer) => {
      if (cut === 'none') {
        socket.write(data)
        cut = next() // for the next request on this keep-alive connection
        return
      }
      seen.answersLost++
      if (cut === 'after') abort()
      else socket.write(data.subarray(0, data.length - 5), abort)
    })
    closeTogether(socket, line)
  })
  return { url: `http://127.0.0.1:${port}`, seen }
}

function closeTogether(one: Socket, other: Socket): void {
  one.on('close', () => other.destroy())
  other.on('close', () => one.destroy())
  other.on('error', () => {}) // a close follows
}

const TOTAL = 150

describe('through a proxy that cuts connections before, within and after requests', () => {
  it.each([
    { how: 'one by one', gatherMessages: false, atOnce: TOTAL, numRuns: 3 },
    { how: 'gathered', gatherMessages: true, atOnce: 4, numRuns: 1 },
  ])(
    'every message arrives exactly once, and every call is answered ($how)',
    async (given) => {
      const { gatherMessages, atOnce, numRuns } = given
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.constantFrom(...CUTS), { minLength: 400, maxLength: 400 }),
          async (cuts) => {
            const server = await startServer()
            onTestFinished(() => server.close())
            let at = 0
            const proxy = await startCuttingProxy(server, () => cuts[at++ % cuts.length] ?? 'none')
            const client = aClient(proxy.url, { maxSockets: 8, maxAttempts: 100, gatherMessages })
            const { conn_id } = await client.connect({ username: 'ann', channels: ['lobby'] })
            const ann = await Listener.open(server, conn_id)
            const texts = Array.from({ length: TOTAL }, (_, n) => `text ${n}`)
            const post = (text: string) =>
              client.message({ user: 'bob', channel: 'lobby', message: { text } })
            const answers: Awaited<ReturnType<typeof post>>[] = []
            for (let at = 0; at < TOTAL; at += atOnce)
              answers.push(...(await Promise.all(texts.slice(at, at + atOnce).map(post))))
            expect(answers.map(([posted]) => posted?.message?.['text'])).toEqual(texts)

            const last = (await client.message({ user: 'bob', channel: 'lobby' }))[0]?.uuid
            await until(() => ann.events.some((event) => event['uuid'] === last), 'the last one')
            const got = ann.events.filter(({ message }) => message?.text !== undefined)
            expect(got.map(({ message }) => message?.text).toSorted()).toEqual(texts.toSorted())
            const posted = answers.map(([message]) => message?.uuid)
            expect(got.map((event) => event['uuid']).toSorted()).toEqual(posted.toSorted())
            // Otherwise the test has tested nothing.
            expect(proxy.seen.cuts).toBeGreaterThan(TOTAL / 10)
            expect(proxy.seen.answersLost).toBeGreaterThan(5)
            await server.close()
          },
        ),
        { numRuns, endOnFailure: true }, // shrinking would take long and not help
      )
    },
    60_000,
  )

  it('what would not bear a repeat is done once as well', async () => {
    const server = await startServer()
    onTestFinished(() => server.close())
    // Every other request is cut after the server has handled it.
    const fates: Cut[] = Array.from({ length: 40 }, (_, n) => (n % 2 === 0 ? 'after' : 'none'))
    const proxy = await startCuttingProxy(server, () => fates.shift() ?? 'none')
    const client = aClient(proxy.url, { maxSockets: 1 })
    const { conn_id } = await client.connect({ username: 'ann', channels: ['lobby'] })
    const watcher = await client.connect({
      username: 'eve',
      channels: ['lobby'],
      channel_configs: { lobby: { notify_presence: true } },
    })
    await client.channelConfig({ lobby: { notify_presence: true, notify_state: true } })
    const eve = await Listener.open(server, watcher.conn_id)
    expect(await client.subscribe({ conn_id, channels: ['news'] })).toMatchObject({
      subscribed_to: ['news'],
    })
    expect(await client.userState({ user: 'ann', user_state: { color: 'red' } })).toMatchObject({
      changed_state: [{ key: 'color', value: 'red' }],
    })
    const uuid = '7f0c9b52-4a8e-4f0e-8a0e-6d2f0f6c1f11'
    await client.edit({ channel: 'lobby', uuid })
    await client.delete({ channel: 'lobby', uuid })
    expect(await client.unsubscribe({ conn_id, channels: ['news'] })).toMatchObject({
      unsubscribed_from: ['news'],
    })
    expect(await client.disconnect(conn_id)).toBe(true)
    expect(proxy.seen.answersLost).toBeGreaterThan(5)
    expect((await client.admin()).total_connections).toBe(1)
    await until(() => eve.events.some(({ type }) => type === 'presence'), 'ann to part')
    expect(eve.events.map(({ type }) => type)).toEqual([
      'user_state_change',
      'message:edit',
      'message:delete',
      'presence',
    ])
  })
})
