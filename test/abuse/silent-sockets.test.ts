import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Backend, send, until } from '../helpers/http.ts'
import { freePort } from '../helpers/ports.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { PROBED, TurnProbe } from '../helpers/turn-probe.ts'
import { handshake } from '../helpers/websocket.ts'
import type { Socket } from 'node:net'

const SOCKETS = 4000
const AT_A_TIME = 50

describe(
  'thousands of sockets that time out together do not hold the event loop',
  { timeout: 240_000 },
  () => {
    let server: ServerProcess
    let probe: TurnProbe
    let philotePort: number

    beforeAll(async () => {
      philotePort = await freePort()
      server = await ServerProcess.start({
        ...PROBED,
        settings: {
          philote_port: philotePort,
          philote_secret: 'secret',
          heartbeat_interval: 1,
          resume_window: 1,
          gc_conns_after: 30,
        },
      })
      probe = new TurnProbe(server)
    })
    afterAll(killProcesses)

    type Begin = (socket: Socket, index: number) => Promise<void> | void

    /** A few at a time: this is not a test of many connections that open at once. */
    async function open(port: number, begin: Begin, lives: number[]): Promise<Socket[]> {
      const sockets: Socket[] = []
      for (let index = 0; index < SOCKETS; index += AT_A_TIME) {
        const some = Array.from({ length: AT_A_TIME }, async (_, n) => {
          const socket = connect(port, server.host)
          socket.on('error', () => socket.destroy())
          await once(socket, 'connect')
          const openedAt = performance.now()
          socket.once('close', () => lives.push(performance.now() - openedAt))
          await begin(socket, index + n)
          socket.resume()
          sockets.push(socket)
        })
        await Promise.all(some)
      }
      return sockets
    }

    /**
     * Opens sockets of each kind, one kind after the other, and waits once for all of them to end. Returns the shortest
     * life in ms.
     */
    async function timeOut(
      what: string,
      ...kinds: readonly (readonly [port: number, begin: Begin])[]
    ): Promise<number> {
      const lives: number[] = []
      await probe.expectShortTurns(what, async () => {
        const sockets: Socket[] = []
        for (const kind of kinds) sockets.push(...(await open(...kind, lives)))
        await until(() => sockets.every(({ destroyed }) => destroyed), 'the end of all', 60_000)
      })
      expect((await send(server, 'GET /health')).status).toBe(200)
      return Math.min(...lives)
    }

    // Half of the sockets hit the timeout for headers, half the one for the first byte. Both are tested together.
    it("without a word or with a head that does not end, and without a word at Philote's port", async () => {
      const begin: Begin = (socket, index) => {
        if (index % 2 === 0) socket.write('GET / HTTP/1.1\r\nHost: x\r\n')
      }
      const shortest = await timeOut('silence', [server.port, begin], [philotePort, () => {}])
      // No socket was closed before its timeout.
      expect(shortest).toBeGreaterThan(5_000)
    })

    it('that are WebSockets, and answer no heartbeat', async () => {
      const backend = new Backend(server)
      const begin = async (socket: Socket, index: number): Promise<void> => {
        const details = { info: { include_users: false, include_history: false } }
        const connId = await backend.connect(`u${index}`, [`room ${index % 100}`], details)
        socket.write(handshake(`/ws?conn_id=${connId}`))
        await once(socket, 'data')
      }
      await timeOut('WebSockets', [server.port, begin])
    })

    it('that are WebSockets of nobody, and do not answer the close', async () => {
      const begin = async (socket: Socket, index: number): Promise<void> => {
        const connId = `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`
        socket.write(handshake(`/ws?conn_id=${connId}`))
        await once(socket, 'data')
      }
      await timeOut('unknown WebSockets', [server.port, begin])
    })
  },
)
