import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Backend, until } from '../../helpers/http.ts'
import { refuseCrashes } from '../../helpers/process.ts'
import { startServer } from '../../helpers/server.ts'
import { Network } from './network.ts'
import { PageBackend, only, openPage } from './page-backend.ts'

refuseCrashes()

type Step = 'say' | 'cut' | 'block' | 'unblock' | 'end'
const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.constant<Step>('say') },
    { weight: 2, arbitrary: fc.constant<Step>('cut') },
    { weight: 1, arbitrary: fc.constantFrom<Step>('block', 'unblock', 'end') },
  ),
  { minLength: 5, maxLength: 40 },
)

/** Undefined: a WebSocket, and a poll if it fails. */
const transports = fc.constantFrom('sse', 'longpoll', undefined)

/** Large enough that some runs miss more events than the server keeps. */
const CHANNEL_FRAMES = 6

describe('whatever breaks', () => {
  it('a page sees what was said, in order, once; or is told of a gap', async () => {
    const server = await startServer({
      heartbeat_interval: 0.05,
      channel_frames: CHANNEL_FRAMES,
      wake_connections_after: 0.2,
      poll_gather: 0.01,
    })
    const backend = await PageBackend.start(server)
    const network = await Network.to(server)
    const app = new Backend(server)
    let runs = 0
    try {
      await fc.assert(
        fc.asyncProperty(steps, transports, async (script, transport) => {
          const channel = `run ${++runs}`
          network.blocked = undefined
          const page = openPage(backend, network, {
            channels: [channel],
            ...(transport && only(transport, network)),
          })
          await page.connection.connect()
          const said: string[] = []
          const say = async (): Promise<void> => {
            said.push(`message ${said.length}`)
            await app.say(channel, said.at(-1) ?? '')
          }
          for (const step of script) {
            if (step === 'say') await say()
            if (step === 'cut') network.cut()
            if (step === 'block') network.blocked = /./
            if (step === 'unblock') network.blocked = undefined
            const { connectionId } = page.connection
            // There is none while a new one is being requested.
            if (step === 'end' && connectionId)
              await app.call(`GET /disconnect?conn_id=${connectionId}`)
          }
          network.blocked = undefined
          await say()
          await until(() => page.texts().includes(said.at(-1)), 'the last message')
          expect(withoutGaps(page.events, said)).toEqual(said)
          await page.connection.disconnect().catch(() => {})
        }),
        { numRuns: 25 },
      )
    } finally {
      await server.close()
    }
  }, 120_000)
})

/** The received texts. Missing ones are filled in only where a gap was reported. */
function withoutGaps(
  events: readonly { type: string; message?: unknown }[],
  said: readonly string[],
) {
  const seen: string[] = []
  let mayJump = false
  for (const event of events) {
    if (event.type === 'gap') mayJump = true
    if (event.type !== 'message') continue
    const { text } = event.message as { text: string }
    while (mayJump && seen.length < said.length && said[seen.length] !== text)
      seen.push(said[seen.length] ?? '')
    seen.push(text)
    mayJump = false
  }
  return seen
}
