/** Webhooks of one server, received by real HTTP servers. */
import { createHmac } from 'node:crypto'
import net from 'node:net'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { createSigner } from '../../src/http/signature.ts'
import { WebhookRequest } from '../../src/protocol/webhooks.ts'
import { Backend, until, within } from '../helpers/http.ts'
import { freePort } from '../helpers/ports.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'
import { WebhookReceiver } from '../helpers/webhook-receiver.ts'
import { Listener, RawClient, closeClients } from '../helpers/websocket.ts'
import { Client, signToken } from '../philote/client.ts'
import type { ConfigInput } from '../../src/config/load.ts'
import type { TestServer } from '../helpers/server.ts'

afterAll(async () => {
  closeClients()
  await killProcesses()
})

async function start(settings: ConfigInput): Promise<TestServer> {
  const server = await startServer(settings)
  onTestFinished(() => server.close())
  return server
}

/** A server in a process of its own, whose log the test reads. */
async function startProcess(settings: Record<string, string | number>): Promise<ServerProcess> {
  const server = await ServerProcess.start({ settings: { shutdown_grace: 3, ...settings } })
  onTestFinished(() => server.kill())
  return server
}

/** With a `data_dir`, what is queued waits for the next start. */
const IN_MEMORY = { data_dir: '' }

interface WebhookRow {
  readonly endpoint: string
  readonly queued: number
  readonly failures: number
  readonly last_error: string | null
  readonly last_success_at: number | null
}

const rowsOf = async (backend: Backend) =>
  (await backend.call<{ webhooks: WebhookRow[] }>('GET /admin/webhooks.json')).webhooks

describe('a webhook', () => {
  it('is told who comes and goes, signed over time, path and body', async () => {
    const receiver = await WebhookReceiver.start()
    const server = await start({ webhook_url: `${receiver.url}?key=1`, webhook_secret: 'hush' })
    const backend = new Backend(server)
    const listener = await Listener.open(server, await backend.connect('ann', ['room']))
    await receiver.got('joined room ann')
    await listener.close()
    await receiver.got('user_offline ann')
    expect(receiver.lines).toEqual([
      'user_online ann',
      'channel_created room',
      'channel_occupied room',
      'joined room ann',
      'parted room ann',
      'channel_vacated room',
      'user_offline ann',
    ])
    for (const { path, headers, text, body } of receiver.requests) {
      expect(WebhookRequest.parse(body)).toEqual(body)
      expect(path).toBe('/hook?key=1')
      expect(headers['content-type']).toBe('application/json; charset=utf-8')
      const timestamp = String(headers['x-channelstream-webhook-timestamp'])
      const signed = createHmac('sha256', 'hush').update(`${timestamp}./hook.${text}`).digest('hex')
      expect(headers['x-channelstream-webhook-signature']).toBe(signed)
      expect(Math.abs(Number(timestamp) - Date.now() / 1000)).toBeLessThan(60)
      const secret = String(headers['x-channelstream-secret'])
      const verified = createSigner('hush').verify(secret, Date.now() / 1000)
      expect(verified?.value).toBe('/hook')
    }
  })

  it('is signed with secret if it has no secret of its own, and may need a password', async () => {
    const receiver = await WebhookReceiver.start()
    const url = receiver.url.replace('//', '//us%40er:p%3Ass@')
    const server = await start({ webhook_url: url, secret: 'common' })
    await new Backend(server, 'common').connect('ann')
    await receiver.got('user_online ann')
    const [request] = receiver.requests
    if (!request) throw new Error('no request')
    const { headers, text } = request
    expect(headers.authorization).toBe(`Basic ${Buffer.from('us@er:p:ss').toString('base64')}`)
    const timestamp = String(headers['x-channelstream-webhook-timestamp'])
    const signed = createHmac('sha256', 'common').update(`${timestamp}./hook.${text}`).digest('hex')
    expect(headers['x-channelstream-webhook-signature']).toBe(signed)
  })

  it.each([
    [{ webhook_secret: 'new', webhook_secret_fallbacks: 'old' }],
    [{ secret: 'new', secret_fallbacks: 'old' }],
    [{ webhook_secret: 'new', webhook_secret_fallbacks: 'old', secret_fallbacks: 'never' }],
  ])('is signed with the former secret as well: %j', async (settings) => {
    const receiver = await WebhookReceiver.start()
    await start({ webhook_url: receiver.url, ...settings })
    await until(() => receiver.requests.length > 0, 'a request')
    const [request] = receiver.requests
    if (!request) throw new Error('no request')
    const { headers, text } = request
    const timestamp = String(headers['x-channelstream-webhook-timestamp'])
    const signed = ['new', 'old'].map((secret) =>
      createHmac('sha256', secret).update(`${timestamp}./hook.${text}`).digest('hex'),
    )
    expect(headers['x-channelstream-webhook-signature']).toBe(signed.join(','))
    const path = String(headers['x-channelstream-secret'])
    expect(createSigner('new').verify(path, Date.now() / 1000)?.value).toBe('/hook')
  })

  it('is told messages of backends and of Philote clients, if it wants them', async () => {
    const receiver = await WebhookReceiver.start()
    const philotePort = await freePort()
    const server = await start({
      webhook_url: receiver.url,
      webhook_events: 'message',
      philote_port: philotePort,
      philote_secret: 'philote',
    })
    const backend = new Backend(server)
    await backend.connect('ann', ['room'])
    await backend.call('POST /message', [
      { user: 'backend', channel: 'room', message: { big: 1 }, type: 'message' },
    ])
    const token = signToken({ claims: { read: ['room'], write: ['room'] } }, 'philote')
    const client = await Client.dial('bob', `ws://127.0.0.1:${philotePort}/?auth=${token}`)
    await client.say('room', 'from philote')
    await until(() => receiver.events.length === 2, 'two messages')
    client.socket.terminate()
    expect(receiver.events).toMatchObject([
      { channel: 'room', message: { user: 'backend', message: { big: 1 } }, pm_users: [] },
      { channel: 'room', message: { channel: 'room' } },
    ])
    expect(receiver.events.every(({ type }) => type === 'message')).toBe(true)
    expect(JSON.stringify(receiver.events[1])).toContain('from philote')
  })

  it('is told of a client that does not read', async () => {
    const receiver = await WebhookReceiver.start()
    const server = await start({ webhook_url: receiver.url, max_outbox_bytes: 200_000 })
    const backend = new Backend(server)
    const connId = await backend.connect('slow', ['room'])
    const slow = await RawClient.openWebSocket(server, connId)
    slow.stopReading()
    const filling = 'x'.repeat(300_000)
    for (let n = 0; n < 100 && server.app.hub.openConnections > 0; n++)
      await backend.say('room', String(n), { filling })
    await receiver.got('slow_client slow')
    const event = receiver.events.find(({ type }) => type === 'slow_client')
    expect(event).toMatchObject({ conn_id: connId, subject: `connection:${connId}` })
    expect(event?.type === 'slow_client' && event.waiting_bytes).toBeGreaterThan(200_000)
    slow.readOn()
  })

  it('that is down gets everything when it is up, in order, and nobody else waits for it', async () => {
    const port = await freePort()
    const healthy = await WebhookReceiver.start()
    const down = `http://127.0.0.1:${port}/hook`
    const server = await startProcess({
      webhook_url: `${down} ${healthy.url}`,
      webhook_events: 'message',
    })
    const backend = new Backend(server)
    await backend.connect('ann', ['room'])
    const texts = Array.from({ length: 250 }, (_, number) => `number ${number}`)
    for (const text of texts) await backend.say('room', text)
    const textsOf = ({ events }: WebhookReceiver) =>
      events.map((event) =>
        event.type === 'message' ? (event.message['message'] as { text: string }).text : event.type,
      )
    await until(() => healthy.events.length === texts.length, 'all events at the other one')
    expect(textsOf(healthy)).toEqual(texts)
    const rows = await rowsOf(backend)
    expect(rows).toMatchObject([
      {
        endpoint: down,
        queued: 250,
        last_error: expect.stringContaining('ECONNREFUSED') as string,
      },
      { endpoint: healthy.url, queued: 0, failures: 0, last_error: null },
    ])
    const warnings = server.output.match(/the webhook http[^"]* failed: /g) ?? []
    expect(warnings).toHaveLength(1)
    const back = await WebhookReceiver.start({ port })
    await until(() => back.events.length === texts.length, 'all events')
    expect(textsOf(back)).toEqual(texts)
    await until(() => /works again/.test(server.output), 'the end of failures in the log')
  })

  it('that fails gets each event again until it says 2xx, which the log reports', async () => {
    const receiver = await WebhookReceiver.start()
    const statuses = [301, 500]
    receiver.answerWith((_, response) => void response.writeHead(statuses.shift() ?? 204).end())
    const server = await startProcess({ webhook_url: receiver.url })
    const backend = new Backend(server)
    await backend.connect('ann')
    await receiver.got('user_online ann')
    expect(new Set(receiver.requests.slice(0, 3).map(({ text }) => text)).size).toBe(1)
    expect(server.output).toContain('failed: status 301')
    expect((await rowsOf(backend))[0]).toMatchObject({ failures: 0, queued: 0 })
  })

  it.each([
    ['speaks no TLS', async () => (await WebhookReceiver.start()).url.replace('http:', 'https:')],
    ['has a name that nobody knows', () => 'http://nobody.invalid/hook'],
    ['does not speak HTTP', () => mumbling()],
  ])('that %s is reported once, with the reason', async (_how, urlOf) => {
    const url = await urlOf()
    const server = await startProcess({ webhook_url: `${url}?token=hidden` })
    const backend = new Backend(server)
    await until(() => server.output.includes('failed: '), 'the failure in the log')
    await backend.connect('ann')
    await until(async () => ((await rowsOf(backend))[0]?.failures ?? 0) > 1, 'another failure')
    expect(server.output.match(/the webhook .* failed: ./g)).toHaveLength(1)
    expect(server.output).not.toContain('hidden')
    expect((await rowsOf(backend))[0]).toMatchObject({ endpoint: url, queued: 1 })
  })

  it('gets what is queued when the server stops, within shutdown_grace', async () => {
    const receiver = await WebhookReceiver.start()
    let isUp = false
    receiver.answerWith((_, response) => void response.writeHead(isUp ? 200 : 503).end())
    const server = await startProcess({ webhook_url: receiver.url, ...IN_MEMORY })
    const backend = new Backend(server)
    await backend.connect('ann')
    await until(() => receiver.requests.length > 0, 'a first attempt')
    server.signal('SIGTERM')
    await until(() => receiver.requests.length > 1, 'an attempt while it stops')
    isUp = true
    expect(await server.ended()).toEqual({ code: 0, signal: null })
    expect(receiver.lines).toContain('user_online ann')
  })

  it('does not keep the server from stopping, which says how many events are lost', async () => {
    const receiver = await WebhookReceiver.start()
    receiver.answerWith(() => {}) // never answers
    const server = await startProcess({
      webhook_url: receiver.url,
      shutdown_grace: 1,
      ...IN_MEMORY,
    })
    await new Backend(server).connect('ann')
    await until(() => receiver.requests.length > 0, 'a first attempt')
    server.signal('SIGTERM')
    expect(await within(server.ended(), 'the end', 20_000)).toEqual({ code: 0, signal: null })
    expect(server.output).toContain('misses 1 events')
  })

  it('has metrics, by url and result', async () => {
    const receiver = await WebhookReceiver.start()
    let failures = 1
    receiver.answerWith((_, response) => void response.writeHead(failures-- > 0 ? 500 : 200).end())
    const server = await start({ webhook_url: receiver.url })
    const backend = new Backend(server)
    await backend.connect('ann')
    await receiver.got('user_online ann')
    const { text } = await backend.send('GET /metrics')
    const lines = text.split('\n').filter((line) => line.startsWith('channelstream_webhook'))
    const of = `{endpoint="${receiver.url}"`
    expect(lines).toContain(`channelstream_webhook_requests_total${of},result="500"} 1`)
    expect(lines).toContain(`channelstream_webhook_dropped_events_total${of}} 0`)
    expect(lines.some((line) => line.startsWith(`channelstream_webhook_queued_events${of}`))).toBe(
      true,
    )
    expect(
      lines.some((line) => line.startsWith(`channelstream_webhook_delivered_events_total${of}`)),
    ).toBe(true)
  })

  it('is no part of a server without one', async () => {
    const server = await start({})
    const backend = new Backend(server)
    expect(await rowsOf(backend)).toEqual([])
    expect((await backend.send('GET /metrics')).text).not.toMatch(/channelstream_webhook\w+\{/)
  })
})

/** A server that answers with something else. */
async function mumbling(): Promise<string> {
  const server = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.end('SSH-2.0-mumble\r\n')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as net.AddressInfo).port}/hook`
}
