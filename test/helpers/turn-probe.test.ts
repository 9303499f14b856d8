import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ServerProcess, killProcesses } from './process.ts'
import { PROBED, TurnProbe } from './turn-probe.ts'

const SUBJECT = new URL('./turn-probe-subject.mjs', import.meta.url).pathname

describe('the probe of turns', { timeout: 90_000 }, () => {
  let subject: ServerProcess
  let probe: TurnProbe
  beforeAll(async () => {
    const command: [string, ...string[]] = [process.execPath, ...PROBED.nodeArgs, SUBJECT]
    subject = await ServerProcess.startCommand(/listens on/, { ...PROBED, command })
    probe = new TurnProbe(subject)
  })
  afterAll(killProcesses)

  async function run(task: string): Promise<string> {
    const socket = connect(subject.port, subject.host)
    socket.write(task)
    return text(socket)
  }
  const longestTurnOf = (task: string) => probe.longestTurnDuring(() => run(task))

  it.each([
    ['in the callback of a socket', 'socket 60'],
    ['in microtasks that follow each other', 'microtasks 60'],
    ['in ticks that follow each other', 'ticks 60'],
    ['in the callback of a timer', 'timer 60'],
    ['in an immediate', 'immediate 60'],
    ['in pieces that come one after the other in one turn', 'pieces 60'],
    ['that goes on behind the answer', 'behind 60'],
  ])('sees 60 ms of work %s', async (_where, task) => {
    const turns: number[] = []
    // A busy machine makes turns longer, never shorter.
    do turns.push(await longestTurnOf(task))
    while (Math.min(...turns) >= 90 && turns.length < 5)
    for (const turn of turns) expect(turn).toBeGreaterThan(55)
    expect(Math.min(...turns)).toBeLessThan(90)
  })

  it('sees what the collector of garbage does on the thread', async () => {
    // Helper threads use a part of the CPU time of the process.
    expect(await longestTurnOf('garbage 100')).toBeGreaterThan(30)
  })

  it.each(['spread 60', 'chain 60'])('counts each turn by itself: %s', async (task) => {
    expect(await longestTurnOf(task)).toBeLessThan(30)
  })

  it('does not count sleep', async () => {
    expect(await longestTurnOf('sleep 300')).toBeLessThan(20)
  })

  it('does not count the other threads of the process', async () => {
    expect(await longestTurnOf('worker 300')).toBeLessThan(50)
  })

  it('does not count what other processes do meanwhile, though they want the same processors', async () => {
    const spin = 'const end = performance.now() + 500; while (performance.now() < end);'
    const turn = await probe.longestTurnDuring(async () => {
      const others = [1, 2, 3, 4].map(() => spawn(process.execPath, ['-e', spin]))
      await Promise.all([...others.map((other) => once(other, 'close')), run('nothing')])
    })
    expect(turn).toBeLessThan(20)
  })

  it('leaves out what came before', async () => {
    await run('socket 60')
    expect(await longestTurnOf('nothing')).toBeLessThan(20)
  })

  it('lets a server rest', async () => {
    expect(Number(await run('rest 500'))).toBeLessThan(100)
  })

  it('fails work that holds the loop each time, and only that', async () => {
    await probe.expectShortTurns('nothing', () => run('nothing'))
    const ms = 250 * (await probe.slowness())
    const holding = probe.expectShortTurns('the socket', () => run(`socket ${ms}`))
    await expect(holding).rejects.toThrow(/the socket held the event loop: \d/)
  })

  it('does not keep the process from ending', async () => {
    const command: [string, ...string[]] = [process.execPath, ...PROBED.nodeArgs, '-e', '0']
    const { exit } = await ServerProcess.run({ ...PROBED, command })
    expect(exit).toEqual({ code: 0, signal: null })
  })
})
