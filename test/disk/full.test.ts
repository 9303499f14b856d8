/** A disk without space. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { Backend, until } from '../helpers/http.ts'
import { startServer } from '../helpers/server.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import { historyOf } from './load.ts'
import type { TestServer } from '../helpers/server.ts'

const DISK_BYTES = 2 * 1024 * 1024
const TEXT = 'x'.repeat(4000)

/** Mounts a small disk. Returns why that is not possible. */
function mount(directory: string): string | undefined {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', directory])
    return undefined
  } catch (error) {
    return String(error)
  }
}

const directory = mkdtempSync(join(tmpdir(), 'channelstream-disk-'))
let problem: string | undefined
beforeAll(() => {
  problem = mount(directory)
  if (problem !== undefined) console.warn(`skipped: no small disk can be mounted: ${problem}`)
})
afterAll(() => {
  closeClients()
  if (problem === undefined) execFileSync('umount', [directory])
  rmSync(directory, { recursive: true, force: true })
})

const filler = join(directory, 'filler')
function fillUp(): void {
  const { bavail, bsize } = statfsSync(directory)
  writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - 65_536)))
}

async function startHere(): Promise<TestServer> {
  const server = await startServer({ data_dir: join(directory, 'data'), max_history_size: 10_000 })
  onTestFinished(async () => {
    rmSync(filler, { force: true })
    if (server.app.http.server.listening) await server.close()
  })
  return server
}

const post = async (server: TestServer, text: string): Promise<number> => {
  const json = [{ user: 'backend', channel: 'room', message: { text, TEXT } }]
  const headers = { 'idempotency-key': text }
  return (await new Backend(server).send('POST /message', { json, headers })).status
}

describe('a full disk', () => {
  it('refuses changes, serves everything else, and goes on by itself', async (context) => {
    if (problem !== undefined) return context.skip(problem)
    const server = await startHere()
    const backend = new Backend(server)
    const channel_configs = { room: { store_history: true, history_size: 10_000 } }
    const ann = await backend.connect('ann', ['room'], { channel_configs })
    const bob = await backend.connect('bob', ['room'])
    const listener = await Listener.open(server, ann)
    fillUp()

    let number = 0
    while ((await post(server, `text-${number}`)) === 200) number++
    expect(number).toBeGreaterThan(1)
    expect(await post(server, 'refused')).toBe(503)
    const { status, headers } = await backend.send('POST /connect', {
      json: { username: 'cem', channels: ['room'] },
    })
    expect([status, headers['retry-after']]).toEqual([503, '1'])

    // Reads, sockets that are open, and new ones.
    expect((await backend.info()).channels['room']?.total_connections).toBe(2)
    await listener.heard(`text-${number - 1}`)
    const late = await Listener.open(server, bob)
    // The request that met the full disk first may have got as far as its answer, which could not be kept any more.
    await late.heard(`text-${number - 1}`)
    await listener.breakOff()
    const back = await Listener.open(server, ann, { cursor: late.events.at(-1)?.id ?? '' })
    expect(back.ending).toBeUndefined()

    rmSync(filler)
    await until(async () => (await post(server, 'refused')) === 200, 'the disk to be used again')
    await back.heard('refused')
    await late.heard('refused')
    // The request that met the full disk first may have been made after all, but once at most. With its key it can be repeated.
    expect(await post(server, `text-${number}`)).toBe(200)
    const expected = Array.from({ length: number + 1 }, (_, index) => `text-${index}`)
    const texts = (await historyOf(server, 'room')).map(({ message }) => message?.text)
    expect([...texts].sort()).toEqual([...expected, 'refused'].sort())
    expect(late.texts).toEqual(texts)

    await server.close()
    const again = await startHere()
    const kept = (await historyOf(again, 'room')).map(({ message }) => message?.text)
    expect(kept).toEqual(texts)
  })
})
