import { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { destroyIdle } from '../../src/net/unread.ts'
import { until } from '../helpers/http.ts'

/** Returns a socket that takes a while to destroy. */
function aSlowSocket(): Socket {
  const socket = new Socket()
  socket.setTimeout(1000)
  const destroy = socket.destroy.bind(socket)
  socket.destroy = () => {
    const end = performance.now() + 1
    while (performance.now() < end);
    return destroy()
  }
  return socket
}

describe('sockets that were idle too long', () => {
  it('are cut, many of them in several turns', async () => {
    const sockets = Array.from({ length: 100 }, aSlowSocket)
    for (const socket of sockets) destroyIdle(socket)
    const atOnce = sockets.filter(({ destroyed }) => destroyed).length
    expect(atOnce).toBeGreaterThan(0)
    expect(atOnce).toBeLessThan(50)
    await until(() => sockets.every(({ destroyed }) => destroyed), 'the end of all')
  })

  it('are let be if a request came while they waited for it', async () => {
    const sockets = Array.from({ length: 50 }, aSlowSocket)
    for (const socket of sockets) destroyIdle(socket)
    const last = sockets.at(-1)
    last?.setTimeout(0)
    await until(() => sockets.slice(0, -1).every(({ destroyed }) => destroyed), 'the end of others')
    expect(last?.destroyed).toBe(false)
    last?.destroy()
  })
})
