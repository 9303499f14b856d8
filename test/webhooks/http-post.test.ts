/** Requests to a real HTTP server that answers in all ways. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { endpointOf, endpointsOf } from '../../src/webhooks/endpoint.ts'
import { httpPost, readRetryAfter } from '../../src/webhooks/http-post.ts'
import { within } from '../helpers/http.ts'
import { WebhookReceiver } from '../helpers/webhook-receiver.ts'
import type { Answering } from '../helpers/webhook-receiver.ts'

async function poster(answering: Answering, timeoutMs = 30_000) {
  const receiver = await WebhookReceiver.start()
  receiver.answerWith(answering)
  const http = httpPost({
    endpoint: endpointOf(receiver.url),
    connections: 2,
    timeoutMs,
    sign: () => ({}),
    clock: systemClock,
  })
  onTestFinished(() => http.close())
  return { receiver, post: () => within(http.post('{}'), 'the result'), http }
}

describe('a request to a webhook', () => {
  it.each([200, 201, 202, 204, 299])('succeeds with %s', async (status) => {
    const { post } = await poster((_, response) => void response.writeHead(status).end())
    expect(await post()).toBeUndefined()
  })

  it.each([300, 400, 401, 404, 410, 422, 500, 503])('fails with %s', async (status) => {
    const { post } = await poster((_, response) => void response.writeHead(status).end('why'))
    expect(await post()).toMatchObject({ reason: `status ${status}`, result: String(status) })
  })

  it('does not follow redirects, and says where they lead', async () => {
    const elsewhere = await WebhookReceiver.start()
    const { post } = await poster(
      (_, response) => void response.writeHead(307, { location: elsewhere.url }).end(),
    )
    expect(await post()).toMatchObject({ reason: `status 307, a redirect to ${elsewhere.url}` })
    expect(elsewhere.requests).toEqual([])
  })

  it('fails when there is no answer in time', async () => {
    const { post, receiver } = await poster(() => {}, 50)
    expect(await post()).toMatchObject({ reason: 'no answer within 50 ms', result: 'error' })
    expect(receiver.requests).toHaveLength(1)
  })

  it('fails when the connection breaks off', async () => {
    const { post } = await poster((_, response) => void response.destroy())
    expect(await post()).toMatchObject({ result: 'error' })
  })

  it.each([
    [200, undefined],
    [500, 'status 500'],
  ])('knows %s of an answer that never ends', async (status, reason) => {
    let written = 0
    const { post } = await poster((_, response) => {
      response.writeHead(status)
      const timer = setInterval(() => {
        written += 20_000
        response.write('x'.repeat(20_000))
      }, 5)
      response.on('close', () => clearInterval(timer))
    })
    expect((await post())?.reason).toBe(reason)
    expect(written).toBeLessThan(5_000_000)
  })

  it('knows the status of an answer that breaks off', async () => {
    const { post } = await poster((_, response) => {
      response.writeHead(200, { 'content-length': 100 })
      response.write('only this')
      setTimeout(() => response.destroy(), 20)
    })
    expect(await post()).toBeUndefined()
  })

  it('uses a connection again, and notices that it was closed meanwhile', async () => {
    const { post, receiver } = await poster((_, response) => void response.end())
    let sockets = 0
    receiver.server.on('connection', () => sockets++)
    for (let request = 0; request < 5; request++) await post()
    expect(sockets).toBeLessThanOrEqual(2)
    const closed = new Promise((resolve) => receiver.server.once('connection', resolve))
    receiver.server.closeAllConnections()
    await post()
    await post()
    await closed
    expect(receiver.requests.length).toBeGreaterThanOrEqual(6)
  })

  it('ends when it is closed', async () => {
    const { http, receiver } = await poster(() => {})
    const result = http.post('{}')
    await within(
      new Promise<void>((resolve) => receiver.server.once('request', () => resolve())),
      'the request',
    )
    await http.close()
    expect(await within(result, 'the result')).toMatchObject({ result: 'error' })
  })
})

describe('Retry-After', () => {
  const now = Date.parse('2030-01-01T00:00:00Z')
  it.each([
    ['7', 7000],
    ['0', 0],
    ['Tue, 01 Jan 2030 00:00:09 GMT', 9000],
    ['Tue, 01 Jan 2030 00:00:00 GMT', 0],
    ['Mon, 31 Dec 2029 00:00:00 GMT', 0],
    ['99999999999999999999', 3_600_000],
    ['soon', undefined],
    ['-5', undefined],
    [undefined, undefined],
  ])('%j is %j ms', (value, expected) => {
    expect(readRetryAfter(value, now)).toBe(expected)
  })
})

describe('the url of a webhook', () => {
  it('is shown without what may be secret, and with a number if others look the same', () => {
    const shown = endpointsOf([
      'https://u:p@a.test/hook?key=1',
      'https://a.test/hook?key=2',
      'https://a.test:8443/other',
    ]).map((endpoint) => endpoint.shown)
    expect(shown).toEqual([
      'https://a.test/hook',
      'https://a.test/hook (2)',
      'https://a.test:8443/other',
    ])
  })
})
