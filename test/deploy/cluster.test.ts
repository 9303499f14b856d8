/** `deploy/compose/nginx.conf`, as it is but for names and ports, in front of three servers on one Redis. */
import { readFile } from 'node:fs/promises'
import { Agent } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { endAll } from '../helpers/ending.ts'
import { EventStreamListener } from '../helpers/event-stream.ts'
import { Backend, send, until } from '../helpers/http.ts'
import { Nginx } from '../helpers/nginx.ts'
import { ServerProcess } from '../helpers/process.ts'
import { RedisServer } from '../helpers/redis.ts'
import { Listener } from '../helpers/websocket.ts'

const MONITORING = '192.0.2.1'
const NAMES = ['channelstream-1', 'channelstream-2', 'channelstream-3']

describe('three servers behind nginx', { timeout: 120_000 }, () => {
  const servers: ServerProcess[] = []
  let nginx: Nginx
  let backend: Backend

  beforeAll(async () => {
    const redis = await RedisServer.start()
    const settings = {
      redis_url: redis.url,
      trusted_proxies: '127.0.0.1',
      allow_metrics_from: MONITORING,
    }
    servers.push(...(await Promise.all(NAMES.map(() => ServerProcess.start({ settings })))))
    const path = new URL('../../deploy/compose/nginx.conf', import.meta.url)
    const text = await readFile(path, 'utf8')
    nginx = await Nginx.start((port) => {
      let configuration = text.replace('listen 80;', `listen 127.0.0.1:${port};`)
      for (const [index, name] of NAMES.entries())
        configuration = configuration.replace(`${name}:8000`, `127.0.0.1:${servers[index]?.port}`)
      return configuration
    })
    backend = new Backend(nginx)
  }, 300_000)
  afterAll(async () => {
    await nginx.stop()
    await endAll()
  })

  it('deliver by each transport to whatever server a client has come to', async () => {
    const sockets = await Promise.all(
      ['ann', 'bob', 'cem'].map(async (user) =>
        Listener.open(nginx, await backend.connect(user, ['room'])),
      ),
    )
    const stream = await EventStreamListener.open(nginx, await backend.connect('dan', ['room']))
    const polls = await backend.connect('eve', ['room'])
    await backend.say('room', 'hello')
    for (const one of [...sockets, stream]) await one.heard('hello')
    const poll = await send(nginx, `GET /listen?conn_id=${polls}`)
    expect(poll.body).toMatchObject([{ message: { text: 'hello' } }])
  })

  it('take the address of the client from nginx, and do not show strangers their metrics', async () => {
    const agent = new Agent({ localAddress: '127.0.0.2' }) // not the address of nginx
    const headers = { 'x-forwarded-for': MONITORING, 'x-script-name': '/evil' }
    for (const sent of [{}, headers])
      expect((await send(nginx, 'GET /metrics', { agent, headers: sent })).status).toBe(403)
    const { status, headers: answer } = await send(nginx, 'GET /admin', { agent, headers })
    expect({ status, location: answer.location }).toEqual({
      status: 302,
      location: '/admin/sign_in',
    })
  })

  it('lose nothing for clients when one of them is told to stop', async () => {
    const connIds = await Promise.all(
      ['fay', 'gus', 'hal'].map((user) => backend.connect(user, ['later'])),
    )
    const sockets = await Promise.all(connIds.map((connId) => Listener.open(nginx, connId)))
    await backend.say('later', 'before')
    for (const socket of sockets) await socket.heard('before')
    const stopped = servers.shift()
    stopped?.signal('SIGTERM')
    await stopped?.exited
    await backend.say('later', 'meanwhile')
    const gone = sockets.filter(({ ending }) => ending !== undefined)
    expect(gone.map(({ ending }) => ending?.code)).toEqual(gone.map(() => 1012))
    for (const [index, socket] of sockets.entries()) {
      if (socket.ending === undefined) await socket.heard('meanwhile')
      else {
        const back = await Listener.open(nginx, connIds[index] ?? '')
        await back.heard('meanwhile')
        expect(back.texts).toEqual(['meanwhile'])
      }
    }
  })

  it('send event streams back while none of them is there', async () => {
    const connId = await backend.connect('ida', ['room'])
    for (const server of servers.splice(0)) {
      server.signal('SIGTERM')
      await server.exited
    }
    const path = `GET /sse?conn_id=${connId}`
    await until(async () => (await send(nginx, path)).text === 'retry: 3000\n\n', 'the answer')
    const answer = await send(nginx, path)
    expect(answer.status).toBe(200)
    expect(answer.headers['content-type']).toBe('text/event-stream')
    expect((await send(nginx, 'GET /health/ready')).status).toBe(502)
  })
})
