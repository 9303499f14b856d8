/** What clients, backends and administrators notice of a restart. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { Admin } from '../helpers/admin.ts'
import { Backend, send, until } from '../helpers/http.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { WebhookReceiver } from '../helpers/webhook-receiver.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import type { ReceivedEvent } from '../helpers/received.ts'

type Settings = Readonly<Record<string, string | number>>
type End = 'SIGKILL' | 'SIGTERM'

/** A server that can be restarted on the same data. */
class Restarting {
  readonly #directory = mkdtempSync(join(tmpdir(), 'channelstream-data-'))
  #server: ServerProcess | undefined

  constructor(private readonly settings: Settings = {}) {
    onTestFinished(async () => {
      await this.#server?.kill()
      rmSync(this.#directory, { recursive: true, force: true })
    })
  }

  async start(): Promise<{ server: ServerProcess; backend: Backend }> {
    const settings = { data_dir: this.#directory, ...this.settings }
    const server = await ServerProcess.start({ settings })
    this.#server = server
    return { server, backend: new Backend(server) }
  }

  async restart(end: End) {
    const server = this.#server
    server?.signal(end)
    await server?.ended()
    await server?.kill()
    return this.start()
  }
}

afterAll(async () => {
  closeClients()
  await killProcesses()
})

const PRESENCE = { room: { notify_presence: true, store_history: true } }

describe.each<End>(['SIGTERM', 'SIGKILL'])('a restart by %s', (end) => {
  it('is a pause for clients: they get what they missed, and nobody joins or parts', async () => {
    const restarting = new Restarting({ resume_window: 30 })
    const { server, backend } = await restarting.start()
    const ann = await backend.connect('ann', ['room'], { channel_configs: PRESENCE })
    const bob = await backend.connect('bob', ['room'])
    const first = await Listener.open(server, ann)
    await backend.say('room', 'seen')
    await first.heard('seen')
    const cursor = first.events.at(-1)?.id ?? ''
    // Nobody has it open when this comes.
    await first.breakOff()
    await backend.say('room', 'missed')
    await backend.call('POST /message', [
      { user: 'backend', pm_users: ['ann'], message: { text: 'private' } },
    ])

    const again = await restarting.restart(end)
    await again.backend.say('room', 'later')
    const back = await Listener.open(again.server, ann, { cursor })
    await back.heard('later')
    expect(back.texts).toEqual(['missed', 'private', 'later'])
    expect(back.events.filter(({ type }) => type !== 'message')).toEqual([])
    const { body } = await send(again.server, `GET /listen?conn_id=${bob}`)
    const polled = (body as ReceivedEvent[]).map(({ message }) => message?.text)
    expect(polled).toEqual(['seen', 'missed', 'later'])
  })

  it('ends connections whose clients do not come back, when the window is over', async () => {
    const restarting = new Restarting({ resume_window: 1, gc_conns_after: 1 })
    const { backend } = await restarting.start()
    await backend.connect('ann', ['room'], { channel_configs: PRESENCE })
    const bob = await backend.connect('bob', ['room'])
    const again = await restarting.restart(end)
    const watcher = await Listener.open(again.server, bob)
    await until(() => watcher.presenceOf('ann').length > 0, 'the end of Ann')
    expect(watcher.presenceOf('ann')).toEqual(['parted'])
    const { channels } = await again.backend.info()
    expect(channels['room']?.users).toEqual(['bob'])
  })

  it('repeats the response to a request that is sent again', async () => {
    const restarting = new Restarting()
    const { backend } = await restarting.start()
    await backend.connect('ann', ['room'], { channel_configs: PRESENCE })
    const json = [{ user: 'backend', channel: 'room', message: { text: 'once' } }]
    const headers = { 'idempotency-key': 'a-key' }
    const answer = await backend.send('POST /message', { json, headers })
    const again = await restarting.restart(end)
    const repeated = await again.backend.send('POST /message', { json, headers })
    expect(repeated.text).toBe(answer.text)
    expect(repeated.headers['idempotency-replayed']).toBe('true')
    const { history } = await again.backend.call<{ history: unknown[] }>('POST /history', {
      channel: 'room',
    })
    expect(history).toHaveLength(1)
  })

  it('sends what is queued for a webhook, once', async () => {
    const receiver = await WebhookReceiver.start()
    let isUp = false
    receiver.answerWith((_, response) => void response.writeHead(isUp ? 200 : 503).end())
    const restarting = new Restarting({ webhook_url: receiver.url, shutdown_grace: 1 })
    const { backend } = await restarting.start()
    await backend.connect('ann', ['room'])
    await until(() => receiver.requests.length > 0, 'a first attempt')
    const again = await restarting.restart(end)
    isUp = true
    await until(() => receiver.lines.includes('user_online ann'), 'the event')
    await again.backend.connect('bob')
    await until(() => receiver.lines.includes('user_online bob'), 'a later event')
    // Only events of requests that were answered with success.
    expect(receiver.lines.filter((line) => line === 'user_online ann')).toHaveLength(1)
    const resyncs = receiver.allEvents.filter(({ type }) => type === 'resync')
    expect(resyncs).toMatchObject([{ reason: 'started' }])
  })

  it('keeps administrators signed in', async () => {
    const restarting = new Restarting()
    const { server } = await restarting.start()
    const admin = await Admin.signIn(server)
    const again = await restarting.restart(end)
    const { status } = await admin.at(again.server).call('POST /admin/admin.json')
    expect(status).toBe(200)
  })
})
