import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { until, within } from '../helpers/http.ts'
import { demoFile } from './demo.ts'
import type { AddressInfo } from 'node:net'

/** The command behind `npm run demo`, after the build. */
function runDemo(args: readonly string[] = [], ports: Readonly<Record<string, string>> = {}) {
  const free = { PORT: '0', NOTIFICATIONS_PORT: '0', CHANNELSTREAM_PORT: '0' }
  const child = spawn(process.execPath, [demoFile('run.mjs'), ...args], {
    env: { ...process.env, ...free, ...ports },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const run = {
    output: '',
    child,
    ended: new Promise<number | null>((end) => child.on('close', end)),
  }
  child.stdout.on('data', (text: Buffer) => (run.output += text.toString()))
  child.stderr.on('data', (text: Buffer) => (run.output += text.toString()))
  onTestFinished(async () => {
    child.kill('SIGTERM')
    await run.ended
  })
  return run
}

const addressesIn = (output: string): string[] =>
  [...output.matchAll(/^ {2}\w.*?(http:\S+)/gm)].map(([, address = '']) => address)

describe('npm run demo', { timeout: 90_000 }, () => {
  it.each([
    ['in Node', []],
    ['with Python', ['--python']],
  ])('starts all there is %s, tells where, and ends cleanly', async (_how, args) => {
    const run = runDemo(args)
    await until(() => /API explorer +http/.test(run.output), 'the demo to start', 60_000)
    const addresses = addressesIn(run.output)
    expect(addresses).toHaveLength(5)
    for (const address of [...addresses.filter((_, at) => at !== 2), `${addresses[2]}/health`])
      expect((await fetch(address)).status, address).toBe(200)
    const [chat = '', notifications = ''] = addresses
    const index = await (await fetch(new URL('/', chat))).text()
    expect(index).toContain('href="/chat/"')
    expect(index).toContain(`href="${notifications}"`)
    run.child.kill('SIGINT')
    expect(await within(run.ended, 'the demo to end')).toBe(0)
    for (const address of addresses) await expect(fetch(address), address).rejects.toThrow()
  })

  it('says which port is taken, and how to choose another', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => void other.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void other.close())
    const port = String((other.address() as AddressInfo).port)
    const run = runDemo([], { NOTIFICATIONS_PORT: port })
    expect(await within(run.ended, 'the demo to end')).toBe(1)
    expect(run.output).toBe(
      `Port ${port} is already in use. Choose another: NOTIFICATIONS_PORT=0 npm run demo\n`,
    )
  })
})
