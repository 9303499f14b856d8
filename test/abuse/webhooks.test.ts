/** The largest requests, on a server that tells a webhook everything. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WEBHOOK_EVENT_TYPES } from '../../src/protocol/webhooks.ts'
import { Backend, until } from '../helpers/http.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { PROBED, TurnProbe } from '../helpers/turn-probe.ts'
import { WebhookReceiver } from '../helpers/webhook-receiver.ts'

const times = <Item>(count: number, item: (index: number) => Item): Item[] =>
  Array.from({ length: count }, (_, index) => item(index))

const NO_DETAILS = { info: { include_users: false, include_history: false } }
const channels = times(1_000, (n) => `channel ${n}`)
const message = (text: string) => ({ user: 'ann', channel: 'room', message: { text } })

const REQUESTS: readonly (readonly [what: string, line: string, json: object])[] = [
  ['small messages', 'POST /message', times(5_000, () => message('x'))],
  ['larger messages', 'POST /message', times(900, () => message('x'.repeat(1_000)))],
  ['a message of a megabyte', 'POST /message', [message('x'.repeat(1_000_000))]],
  [
    'receivers of a private message',
    'POST /message',
    [{ ...message('x'), channel: null, pm_users: times(20_000, (n) => `user ${n}`) }],
  ],
  ['channels to connect to', 'POST /connect', { username: 'bob', channels, ...NO_DETAILS }],
]

describe.each([
  ['that is up', 100_000, 204],
  ['that is down, with a full queue', 1_000, 503],
])('a webhook %s holds the event loop no longer', { timeout: 120_000 }, (_how, events, status) => {
  let probe: TurnProbe
  let backend: Backend
  let receiver: WebhookReceiver
  afterAll(killProcesses)
  beforeAll(async () => {
    receiver = await WebhookReceiver.start({ stopsWithTest: false })
    receiver.answerWith((_, response) => void response.writeHead(status).end())
    const server = await ServerProcess.start({
      ...PROBED,
      settings: {
        gc_conns_after: 3600,
        webhook_url: receiver.url,
        webhook_events: WEBHOOK_EVENT_TYPES.join(','),
        max_webhook_events: events,
      },
    })
    probe = new TurnProbe(server)
    backend = new Backend(server)
    await backend.connect('ann', ['room'], NO_DETAILS)
    for (let batch = 0; batch < 10; batch++)
      await backend.call('POST /connect', {
        username: `user ${batch}`,
        channels: channels.map((name) => `${batch} ${name}`),
        ...NO_DETAILS,
      })
    return () => receiver.stop()
  })

  it.each(REQUESTS)('%s', async (what, line, json) => {
    await probe.expectShortTurns(what, async () => {
      const answer = await backend.send(line, { json })
      expect(answer.status, answer.text.slice(0, 300)).toBe(200)
    })
  })

  it('and neither does what leaves', async () => {
    const connIds = await Promise.all(
      times(6, (n) => backend.connect(`leaving ${n}`, channels, NO_DETAILS)),
    )
    await probe.expectShortTurns('a disconnect from a thousand channels', async () => {
      await backend.call('POST /disconnect', { conn_id: connIds.pop() })
    })
    if (status === 204)
      await until(() => receiver.lines.includes('user_offline leaving 5'), 'what left')
  })
})
