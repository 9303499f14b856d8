/** Many clients when a server restarts. `npm run test:rush` has 10,000, and measures how they come back. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { ChannelstreamConnection } from '../../../frontend/client/index.ts'
import { Backend, until, within } from '../../helpers/http.ts'
import { freePort } from '../../helpers/ports.ts'
import { ServerProcess, killProcesses } from '../../helpers/process.ts'

const CLIENTS = Number(process.env['RUSH'] ?? 300)
/** The server spreads fewer clients over less time. */
const IS_MEASURED = CLIENTS >= 6000
/** Clients that connect at the same time before the test. */
const AT_ONCE = 50
/** Otherwise each answer lists all users so far. */
const NO_DETAILS = { info: { include_users: false, include_history: false } }
const PATIENCE_MS = 60_000 + CLIENTS * 10

const directory = mkdtempSync(join(tmpdir(), 'channelstream-data-'))
afterAll(async () => {
  await killProcesses()
  rmSync(directory, { recursive: true, force: true })
})

class Page {
  readonly texts: unknown[] = []
  /** How often it has waited for a retry. More than once: it was refused. */
  waits = 0
  /** When it was connected. */
  readonly times: number[] = []
  readonly connection: ChannelstreamConnection

  constructor(
    { host, port }: { readonly host: string; readonly port: number },
    connectionId: string,
  ) {
    this.connection = new ChannelstreamConnection({
      connectionId,
      websocketUrl: `ws://${host}:${port}/ws`,
      WebSocket,
      heartbeats: false,
    })
    this.connection.on('message', ({ message }) =>
      this.texts.push((message as { text: string }).text),
    )
    this.connection.on('status', ({ status }) => {
      if (status === 'waiting') this.waits++
      if (status === 'connected') this.times.push(performance.now())
    })
  }
}

async function inParallel(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}

/** How many of the times are in the fullest second. */
function mostInASecond(times: readonly number[]): number {
  const inOrder = [...times].sort((one, other) => one - other)
  let [most, first] = [0, 0]
  for (const [index, at] of inOrder.entries()) {
    while ((inOrder[first] as number) <= at - 1000) first++
    most = Math.max(most, index - first + 1)
  }
  return most
}

it(
  `${CLIENTS} clients come back one after the other, each to its connection, and miss nothing`,
  { timeout: 4 * PATIENCE_MS },
  async () => {
    const port = await freePort()
    const start = () =>
      ServerProcess.start({
        settings: { data_dir: directory, resume_window: 60, gc_conns_after: 60 },
        args: ['--port', String(port)],
      })
    const server = await start()
    const backend = new Backend(server)
    const pages: Page[] = []
    await inParallel(CLIENTS, async (index) => {
      const connId = await backend.connect(`user-${index}`, ['room'], NO_DETAILS)
      const page = new Page(server, connId)
      pages.push(page)
      await within(page.connection.startListening(), 'a connection', PATIENCE_MS)
    })
    await backend.say('room', 'before')
    const haveAll = (text: string) => () => pages.every(({ texts }) => texts.includes(text))
    await until(haveAll('before'), 'the message before', PATIENCE_MS)

    const stopped = performance.now()
    server.signal('SIGTERM')
    expect(await within(server.exited, 'the server to end', PATIENCE_MS)).toMatchObject({ code: 0 })
    const ended = performance.now()
    await start()
    const began = performance.now()
    await backend.say('room', 'between')
    await until(() => pages.every(({ times }) => times.length === 2), 'all to be back', PATIENCE_MS)
    await backend.say('room', 'after')
    await until(haveAll('after'), 'the message after', PATIENCE_MS)
    const returns = pages.map(({ times }) => (times[1] as number) - began)
    for (const { connection } of pages) connection.closeConnection()

    const heard = new Set(pages.map(({ texts }) => texts.join()))
    expect([...heard]).toEqual(['before,between,after'])
    const { size } = new Set(pages.map(({ connection }) => connection.connectionId))
    expect(size).toBe(CLIENTS)
    const most = mostInASecond(returns)
    const last = Math.max(...returns)
    if (!IS_MEASURED) return
    const refused = pages.filter(({ waits }) => waits > 1).length
    console.log(
      `refused: ${refused}; stop ${Math.round(ended - stopped)} ms, start ${Math.round(began - ended)} ms; fullest second: ${most} of ${CLIENTS}; the last after ${Math.round(last)} ms`,
    )
    // The times that the server gives are an eighth a second. Clients and server share this machine: after a second in
    // which it was busy with something else comes a fuller one.
    expect(most).toBeLessThanOrEqual(CLIENTS / 3)
    expect(last).toBeLessThanOrEqual(12_000)
  },
)
