import { describe, expect, it } from 'vitest'
import { ScriptRunner } from '../fixtures.ts'
import type { Client } from '../fixtures.ts'

async function crowd(count: number) {
  const at = new ScriptRunner()
  const clients: Client[] = []
  for (let index = 0; index < count; index++)
    clients.push(await at.enter(`user-${index}`, ['room'], { channel_configs: QUIET }))
  const closed = () => clients.filter(({ sink }) => sink.closed)
  const returns = () => closed().map(({ sink }) => sink.closed?.retryAfterMs ?? Number.NaN)
  return { at, clients, closed, returns }
}
const QUIET = { room: { notify_presence: false } }

/** How many clients come back in the second in which most do. */
const mostInASecond = (times: readonly number[]): number =>
  Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + 1000).length))

describe('clients of a server that stops', () => {
  it('are closed at once if there is no other server, each with a later time to come back', async () => {
    const { at, closed, returns } = await crowd(300)
    at.hub.sendAway({ overMs: 0, startMs: 0, resumeWindowMs: 15_000 })
    expect(closed()).toHaveLength(300)
    expect(returns()).toEqual(Array.from({ length: 300 }, (_, index) => 500 + (index * 1000) / 300))
    const [, second] = closed()
    expect(second?.sink.closed).toMatchObject({
      code: 1012,
      text: 'server is restarting; retry-after=0.50',
    })
  })

  it('come back before other servers give them up', async () => {
    const { at, returns } = await crowd(3_000)
    at.hub.sendAway({ overMs: 0, startMs: 0, resumeWindowMs: 2_000 })
    expect(Math.max(...returns())).toBeLessThan(500 + 1_000)
  })

  it('come back over eight seconds if they are many', async () => {
    const { at, returns } = await crowd(10_000)
    at.hub.sendAway({ overMs: 0, startMs: 0, resumeWindowMs: 60_000 })
    expect(mostInASecond(returns())).toBeLessThanOrEqual(10_000 / 5)
    expect(Math.min(...returns())).toBe(500)
    expect(Math.max(...returns())).toBeLessThan(8_500)
  })

  it.each([
    [300, 400, 500 + 60 + 400],
    [10_000, 400, 500 + 2000 + 400],
    [300, 100_000, 500 + 60 + 10_000],
  ])('come back when the next start is over (%i clients, %i ms)', async (count, startMs, first) => {
    const { at, returns } = await crowd(count)
    at.hub.sendAway({ overMs: 0, startMs, resumeWindowMs: 15_000 })
    expect(Math.min(...returns())).toBe(first)
  })

  it('are closed over some time if there are other servers, and hear what is said until then', async () => {
    const { at, clients, closed } = await crowd(200)
    at.hub.sendAway({ overMs: 5000, startMs: 0, resumeWindowMs: 15_000 })
    const counts = [closed().length]
    await at.saySoon('room', 'still here')
    for (let tick = 1; tick < 10; tick++) {
      await at.clock.advance(20)
      counts.push(closed().length)
    }
    // A millisecond for each: 200 clients do not need all of the time.
    expect(counts).toEqual([20, 40, 60, 80, 100, 120, 140, 160, 180, 200])
    expect(clients.map((client) => client.heard().join()).join('|')).toBe(
      clients.map((_, index) => (index < 20 ? '' : 'still here')).join('|'),
    )
  })

  it('take no longer than there is time', async () => {
    const { at, closed } = await crowd(200)
    at.hub.sendAway({ overMs: 100, startMs: 0, resumeWindowMs: 15_000 })
    await at.clock.advance(80)
    expect(closed()).toHaveLength(200)
  })

  it('that come meanwhile are closed at once, and those that have gone are left alone', async () => {
    const { at, clients, closed } = await crowd(50)
    at.hub.sendAway({ overMs: 5000, startMs: 0, resumeWindowMs: 15_000 })
    const last = clients.at(-1) as Client
    await last.lose('broke-off')
    const other = last.sink
    const late = await at.enter('late', ['room'])
    expect(late.sink.closed?.code).toBe(1012)
    await at.clock.advance(1000)
    expect(other.closed).toBeUndefined()
    expect(closed()).toHaveLength(49)
    expect(at.faults).toEqual([])
  })

  it('are all closed when the server has stopped, whatever time there was', async () => {
    const { at, closed } = await crowd(50)
    at.hub.sendAway({ overMs: 5000, startMs: 0, resumeWindowMs: 15_000 })
    expect(closed().length).toBeLessThan(50)
    await at.hub.stop()
    expect(closed()).toHaveLength(50)
  })
})
