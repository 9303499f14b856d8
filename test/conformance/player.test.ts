import http from 'node:http'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WebSocketServer, type WebSocket } from 'ws'
import { play } from './player.ts'
import type { AddressInfo } from 'node:net'
import type { Scenario, Step } from './scenario.ts'

interface Fake {
  /** The answer to every request. */
  readonly answer?: {
    readonly status?: number
    readonly body?: unknown
    readonly text?: string
    readonly cookie?: string
  }
  /** Called with every WebSocket. Without it, handshakes are refused. */
  readonly onSocket?: (socket: WebSocket) => void
}

/** Starts a server with fixed answers that records requests. */
async function startFake({ answer, onSocket }: Fake) {
  const asked: { line: string; headers: http.IncomingHttpHeaders; body: string }[] = []
  const server = http.createServer((request, response) => {
    let body = ''
    request.on('data', (part: Buffer) => (body += part.toString()))
    request.on('end', () => {
      asked.push({ line: `${request.method} ${request.url}`, headers: request.headers, body })
      if (!answer) return // never answered
      if (answer.cookie) response.setHeader('set-cookie', answer.cookie)
      response.statusCode = answer.status ?? 200
      response.end(answer.text ?? JSON.stringify(answer.body ?? {}))
    })
  })
  const sockets = new WebSocketServer({ noServer: true })
  server.on('upgrade', (request, socket, head) => {
    if (onSocket) sockets.handleUpgrade(request, socket, head, onSocket)
    else socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
    for (const socket of sockets.clients) socket.terminate()
  })
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port, asked }
}

function scenarioOf(steps: Step[], more: Partial<Scenario> = {}): Scenario {
  return { name: 'a-scenario', theme: 'tests', why: 'Because it is so.', steps, ...more }
}

/** Resolves with the message of the failure, or `fits`. */
async function outcome(fake: Fake, steps: Step[], more: Partial<Scenario> = {}): Promise<string> {
  try {
    await play(scenarioOf(steps, more), await startFake(fake))
    return 'fits'
  } catch (error) {
    return (error as Error).message
  }
}

const sends =
  (...frames: unknown[]) =>
  (socket: WebSocket) => {
    for (const frame of frames) socket.send(JSON.stringify(frame))
  }

describe('a failure', () => {
  it('tells step, place, what was expected, what came, and the rule', async () => {
    const steps: Step[] = [
      { http: 'GET /info', expect: { status: 200 } },
      { http: 'POST /info', expect: { status: 200, body: { channels: ['a', 'b'] } } },
    ]
    expect(await outcome({ answer: { body: { channels: ['a', 'c'] } } }, steps)).toBe(
      [
        'step 2 of 2: http POST /info',
        '  at          .body.channels[1]',
        '  expected    "b"',
        '  actual      "c"',
        '  the rule    Because it is so.',
      ].join('\n'),
    )
  })

  it('ends the scenario there', async () => {
    const fake = await startFake({ answer: { status: 500 } })
    const steps: Step[] = [{ http: 'GET /a', expect: { status: 200 } }, { http: 'GET /b' }]
    await expect(play(scenarioOf(steps), fake)).rejects.toThrow('GET /a')
    expect(fake.asked.map(({ line }) => line)).toEqual(['GET /a'])
  })

  it('may be a mistake in the scenario itself', async () => {
    expect(await outcome({}, [{ wayt: 1 } as unknown as Step])).toContain(
      'unknown kind of step: wayt',
    )
    expect(await outcome({}, [{ silent: 'nobody' }])).toContain('no socket nobody')
  })
})

describe('requests', () => {
  it('are signed, closed after the answer, and carry what the step says', async () => {
    const fake = await startFake({
      answer: { body: { id: '11111111-1111-1111-1111-111111111111' } },
    })
    await play(
      scenarioOf([
        { http: 'POST /connect', json: { a: 1 }, expect: { body: { id: '$a' } } },
        { http: 'GET /listen', sign: false, query: { conn_id: '$a' } },
        { http: 'POST /sign_in', sign: { in: 'query', text: 's.i.g' }, form: { user: 'ann' } },
      ]),
      fake,
    )
    const [connect, listen, signIn] = fake.asked
    expect(connect).toMatchObject({
      line: 'POST /connect',
      body: '{"a":1}',
      headers: {
        connection: 'close',
        'content-type': 'application/json',
        'content-length': '7',
        'x-channelstream-secret': expect.stringMatching(/^channelstream\./) as string,
      },
    })
    expect(listen?.line).toBe('GET /listen?conn_id=11111111-1111-1111-1111-111111111111')
    expect(listen?.headers).not.toHaveProperty('x-channelstream-secret')
    expect(signIn).toMatchObject({ line: 'POST /sign_in?secret=s.i.g', body: 'user=ann' })
  })

  it('keep cookies in the jar, and only there', async () => {
    const fake = await startFake({ answer: { cookie: 'auth=x=y; Path=/; HttpOnly' } })
    const steps: Step[] = [
      { http: 'GET /', jar: true },
      { http: 'GET /', jar: true },
      { http: 'GET /' },
    ]
    await play(scenarioOf(steps), fake)
    expect(fake.asked.map(({ headers }) => headers.cookie)).toEqual([
      undefined,
      'auth=x=y',
      undefined,
    ])
  })

  it('that are never awaited do not hold up the end', async () => {
    expect(await outcome({}, [{ poll: 'p', conn_id: 'x' }])).toBe('fits')
  })
})

describe('frames', () => {
  const open: Step = { open: 'ann' }

  it('are read message by message, however they are spread', async () => {
    const onSocket = sends([{ n: 1 }, { n: 2 }], [], [{ n: 3 }])
    const steps: Step[] = [open, { frames: 'ann', expect: [{ n: 1 }] }]
    expect(
      await outcome({ onSocket }, [...steps, { frames: 'ann', expect: [{ n: 2 }, { n: 3 }] }]),
    ).toBe('fits')
    expect(await outcome({ onSocket }, [open, { frames: 'ann', expect: [{ n: 2 }] }])).toContain(
      '[0].n',
    )
  })

  it('may come in any order only where the step says so', async () => {
    const onSocket = sends([{ n: 2 }], [{ n: 1 }])
    const expected = [{ n: 1 }, { n: 2 }]
    expect(await outcome({ onSocket }, [open, { frames: 'ann', expect: expected }])).not.toBe(
      'fits',
    )
    expect(
      await outcome({ onSocket }, [open, { frames: 'ann', expect: expected, unordered: true }]),
    ).toBe('fits')
  })

  it('carry one message each where the step says so', async () => {
    const step: Step = { frames: 'ann', expect: [{ n: 1 }, { n: 2 }], one_each: true }
    expect(await outcome({ onSocket: sends([{ n: 1 }], [{ n: 2 }]) }, [open, step])).toBe('fits')
    expect(await outcome({ onSocket: sends([{ n: 1 }, { n: 2 }]) }, [open, step])).toContain(
      'one message in each frame',
    )
  })

  it('are waited for, but not for ever', async () => {
    const late = (socket: WebSocket) => void setTimeout(() => sends([{ n: 1 }])(socket), 150)
    expect(await outcome({ onSocket: late }, [open, { frames: 'ann', expect: [{ n: 1 }] }])).toBe(
      'fits',
    )
    const step: Step = { frames: 'ann', expect: [{ n: 1 }], within: 20 }
    expect(await outcome({ onSocket: sends() }, [open, step])).toContain('list of 0 instead of 1')
  })

  it('are missed at once when the socket is closed', async () => {
    const step: Step = { frames: 'ann', expect: [{ n: 1 }] }
    expect(await outcome({ onSocket: (socket) => socket.close(4001) }, [open, step])).toContain(
      '4001',
    )
  })

  it('must be JSON lists', async () => {
    const steps: Step[] = [open, { frames: 'ann', expect: [{ n: 1 }] }]
    expect(await outcome({ onSocket: sends({ n: 0 }, [{ n: 1 }]) }, steps)).toContain(
      'is no JSON list',
    )
  })

  it('that no step reads fail the scenario at its end, if they are not to be ignored', async () => {
    const onSocket = sends([{ n: 1 }], [{ n: 2 }])
    const steps: Step[] = [open, { frames: 'ann', expect: [{ n: 1 }] }]
    expect(await outcome({ onSocket }, steps)).toContain('after the last step')
    expect(await outcome({ onSocket }, steps, { leftovers: 'ignore' })).toBe('fits')
  })
})

describe('sockets', () => {
  const open: Step = { open: 'ann' }

  it('that are to be silent fail with the first message', async () => {
    const step: Step = { silent: 'ann', for: 50 }
    expect(await outcome({ onSocket: sends([]) }, [open, step])).toBe('fits')
    expect(await outcome({ onSocket: sends([{ n: 1 }]) }, [open, step])).toContain(
      'nothing for 50 ms',
    )
  })

  it('that are refused fail, if they may not', async () => {
    const steps = (may_fail: boolean): Step[] => [
      { open: 'ann', may_fail },
      { closed: 'ann', expect: { code: 'refused', status: 404 } },
    ]
    expect(await outcome({}, steps(true))).toBe('fits')
    expect(await outcome({}, steps(false))).toContain('the handshake failed')
  })

  it('are told apart by their close code', async () => {
    const fake: Fake = { onSocket: (socket) => socket.close(4001) }
    expect(await outcome(fake, [open, { closed: 'ann', expect: { code: 4001 } }])).toBe('fits')
    expect(await outcome(fake, [open, { closed: 'ann', expect: { code: 1000 } }])).toContain('4001')
    expect(await outcome(fake, [open, { alive: 'ann' }])).toContain('still open')
    const step: Step = { closed: 'ann', within: 20, expect: { code: 'open' } }
    expect(await outcome(fake, [open, step])).not.toBe('fits')
    expect(await outcome({ onSocket: sends() }, [open, step])).toBe('fits')
  })

  it('answer pings, and count heartbeats', async () => {
    const onSocket = sends([], [])
    const step: Step = { heartbeats: 'ann', expect: { count: 2, first: { '@from': [0, 1000] } } }
    expect(await outcome({ onSocket }, [open, { ping: 'ann' }, step])).toBe('fits')
  })
})

describe('polls', () => {
  const poll: Step = { poll: 'p', conn_id: 'x', settle: 0 }

  it('give their messages', async () => {
    const steps: Step[] = [poll, { polled: 'p', expect: { status: 200, messages: [{ n: 1 }] } }]
    expect(await outcome({ answer: { body: [{ n: 1 }] } }, steps)).toBe('fits')
    expect(await outcome({ answer: { body: [{ n: 2 }] } }, steps)).toContain('.messages[0].n')
  })

  it('give them out of a callback too', async () => {
    const answer = { text: 'tell([{"n": 1}]);' }
    const polled = (callback: string): Step[] => [
      poll,
      { polled: 'p', expect: { callback, messages: [{ n: 1 }] } },
    ]
    expect(await outcome({ answer }, polled('tell'))).toBe('fits')
    expect(await outcome({ answer }, polled('other'))).toContain('.callback')
  })
})
