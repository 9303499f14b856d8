import http from 'node:http'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { useBrowser } from '../../helpers/browser.ts'
import { ServerProcess, killProcesses } from '../../helpers/process.ts'
import { goTo, makeRoom, signIn } from './panel.ts'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Socket } from 'node:net'

const browser = useBrowser()
afterAll(killProcesses)

const PREFIX = '/deep/push'

describe('below a path prefix', () => {
  it('everything works, and nothing outside the prefix is asked for', async () => {
    const server = await ServerProcess.start({ settings: { gc_conns_after: 600 } })
    const url = await proxyTo(server.port)
    const page = await browser.newPage()
    const paths: string[] = []
    page.on('request', (request) => paths.push(new URL(request.url()).pathname))
    page.on('websocket', (socket) => paths.push(new URL(socket.url()).pathname))
    await signIn(page, url)
    const backend = await makeRoom(server, 'lobby')
    await goTo(page, '#/channel/lobby')
    await page.getByText('listening (no private messages)').waitFor()
    await backend.say('lobby', 'by the proxy')
    await page.locator('cs-live-tail').getByText('by the proxy').waitFor()
    await page.getByRole('link', { name: 'Users' }).click()
    await page.locator('cs-virtual-list').getByText('ann').waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.waitForURL(`${url}/admin/sign_in`)
    expect(paths.filter((path) => !path.startsWith(`${PREFIX}/`))).toEqual([])
    expect(paths).toContain(`${PREFIX}/admin/live`)
  })
})

/** A reverse proxy as documented: forwards requests below the prefix, with the prefix header. */
async function proxyTo(port: number): Promise<string> {
  const passOn = (request: IncomingMessage) =>
    http.request({
      host: '127.0.0.1',
      port,
      method: request.method,
      path: request.url,
      headers: { ...request.headers, 'x-script-name': PREFIX },
    })
  const proxy = http.createServer((request, response) => {
    if (!request.url?.startsWith(`${PREFIX}/`)) return void response.writeHead(404).end()
    const onward = passOn(request)
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.destroy())
    request.pipe(onward)
  })
  const upgraded = new Set<Socket>()
  proxy.on('upgrade', (request: IncomingMessage, client: Socket) => {
    const onward = passOn(request)
    onward.on('upgrade', (answer, server) => {
      const head = Object.entries(answer.headers).map(
        ([name, value]) => `${name}: ${String(value)}`,
      )
      client.write(`HTTP/1.1 101 Switching Protocols\r\n${head.join('\r\n')}\r\n\r\n`)
      for (const [one, other] of [
        [client, server],
        [server, client],
      ] as const) {
        upgraded.add(one)
        one.on('error', () => one.destroy())
        one.on('close', () => other.destroy())
        one.pipe(other)
      }
    })
    onward.on('error', () => client.destroy())
    onward.end()
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of upgraded) socket.destroy()
    proxy.closeAllConnections()
    proxy.close()
  })
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}${PREFIX}`
}
