/** The errors of examples/python/channelstream_client.py, and where its server may be. */
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { ERRORS } from '../../src/protocol/errors.ts'
import { headerOf, json, listen, reply, startFake } from '../backend/fakes.ts'
import { makeCertificate } from '../helpers/certificate.ts'
import { INSTALL_TIMEOUT_MS, setup } from '../helpers/debian-packages.ts'
import { startServer } from '../helpers/server.ts'
import { PythonClient, runPython } from './client-driver.ts'
import type { AddressInfo } from 'node:net'
import type { ConfigInput } from '../../src/config/load.ts'

beforeAll(setup, INSTALL_TIMEOUT_MS)

const MESSAGE = { user: 'ann', channel: 'lobby', message: { text: 'hello' } }

async function start(settings: ConfigInput = {}, options: object = {}) {
  const server = await startServer(settings)
  onTestFinished(() => server.close())
  return { server, client: await PythonClient.start({ url: server.url, ...options }) }
}

/** The kind of each error that the server answers with. */
const kindOf = (status: number): string => {
  if (status === 401 || status === 403) return 'AccessDenied'
  if (status === 429) return 'RateLimited'
  if (status >= 502) return 'Unavailable'
  return status === 500 ? 'ServerError' : 'InvalidRequest'
}

describe('an error of the client in Python', () => {
  it('tells its code, its status and what is wrong, by field', async () => {
    const { client } = await start()
    const fields = { '1': { user: ['Length must be between 1 and 512.'] } }
    const error = await client.error('message', [[MESSAGE, { ...MESSAGE, user: '' }]])
    expect(error).toMatchObject({
      ...{ kind: 'InvalidRequest', code: 'INVALID', status: 422, fields },
      ...{ attempts: 1, retry_after: 0 },
    })
    expect(error.kinds).toContain('ChannelstreamError')
    expect(error.message).toBe(
      'POST /message was answered 422, INVALID {"1": {"user": ["Length must be between 1 and 512."]}}',
    )
  })

  it('because of a limit on a user is raised at once, with the time to wait', async () => {
    const { client } = await start({
      ...{ max_connections_per_user: 1, max_channels_per_user: 1 },
      ...{ message_rate_per_user: 0.01, message_burst_per_user: 1 },
    })
    await client.call('connect', ['ann'], { channels: ['lobby'] })
    await client.call('message', [MESSAGE])
    const common = { kind: 'RateLimited', status: 429, attempts: 1 }
    expect(await client.error('connect', ['ann'])).toMatchObject({
      ...{ ...common, code: 'TOO_MANY_CONNECTIONS', retry_after: 15 },
      fields: { username: ['A user may have 1 connection.'] },
    })
    expect(await client.error('subscribe', [['b']], { username: 'ann' })).toMatchObject({
      ...{ ...common, code: 'TOO_MANY_CHANNELS' },
    })
    const refused = await client.error('message', [MESSAGE])
    expect(refused).toMatchObject({ ...common, code: 'TOO_MANY_MESSAGES' })
    expect(refused.fields).toHaveProperty('0.user')
    expect(refused.retry_after).toBeGreaterThan(90)
  })

  it('is of one kind for each error of the server, with its name', async () => {
    const codes = Object.entries(ERRORS)
    const fake = await startFake((socket, _request, nth) => {
      const [code, { status, text }] = codes[nth - 1] ?? ['', { status: 200, text: '' }]
      const body = JSON.stringify({ request: text })
      socket.write(reply(`${status} X`, { 'x-channelstream-error': code }, body))
    })
    const client = await PythonClient.start({ url: fake.url, retries: 0 })
    for (const [code, { status, text }] of codes) {
      const error = await client.error('info')
      expect(error).toMatchObject({ code, status, fields: {}, kind: kindOf(status) })
      expect(error.message).toContain(`POST /info was answered ${status}, ${code} `)
      expect(error.message).toContain(text)
    }
  })

  it('of a proxy is told by its status and media type, and shows nothing of its page', async () => {
    const fake = await startFake((socket) =>
      socket.write(reply('502 Bad', { 'content-type': 'text/html; x=y' }, '<h1>nginx</h1>')),
    )
    const client = await PythonClient.start({ url: fake.url, retries: 1 })
    const error = await client.error('info')
    expect(error).toMatchObject({ kind: 'Unavailable', code: 'HTTP_ERROR', attempts: 2 })
    expect(error.message).toBe('POST /info was answered 502, with text/html')
  })

  it('has no fields if the body has none', async () => {
    const deep = '{"a":'.repeat(100_000) + '1' + '}'.repeat(100_000)
    const bodies = ['', '[]', '"a"', 'null', '{', '\u00e4', deep]
    const fake = await startFake((socket, _request, nth) =>
      socket.write(reply('422 X', { 'x-channelstream-error': 'INVALID' }, bodies[nth - 1] ?? '')),
    )
    const client = await PythonClient.start({ url: fake.url })
    for (const body of bodies) {
      const error = await client.error('info')
      expect([body, error.kind, error.fields]).toEqual([body, 'InvalidRequest', {}])
    }
  })

  it('tells if the secret or the clock is wrong, and shows no secret and no signature', async () => {
    const { server, client } = await start({}, { secret: 'höchst geheim' })
    expect(client.shown).toBe(`<Channelstream ${server.url}>`)
    const error = await client.error('info')
    expect(error).toMatchObject({ kind: 'AccessDenied', code: 'BAD_SIGNATURE', attempts: 1 })
    expect(error.message).toContain('The clocks agree, so the secret differs')
    const date = new Date(Date.now() + 3_600_000).toUTCString()
    const headers = { 'x-channelstream-error': 'BAD_SIGNATURE', date }
    const fake = await startFake((socket) => socket.write(reply('401 No', headers, '{}')))
    const ahead = await PythonClient.start({ url: fake.url, secret: 'höchst geheim' })
    const other = await ahead.error('info')
    expect(other.message).toMatch(/The clock of the server is 3\d\d\d seconds ahead of that/)
    const [, , digest = '-'] = (headerOf(fake.requests[0] ?? '', SIGNATURE) ?? '').split('.')
    expect(digest.length).toBeGreaterThan(20)
    for (const shown of [JSON.stringify(error), JSON.stringify(other)])
      expect([shown.includes(digest), shown.includes('geheim')]).toEqual([false, false])
  })

  it.each([
    { answer: 'a page', text: reply('200 OK', { 'content-type': 'text/html' }, '<h1>') },
    { answer: 'a redirect', text: reply('302 Found', { location: 'http://x.test/' }, '') },
    { answer: 'JSON of another form', text: json(['something', 'else']) },
    { answer: 'an empty object', text: json({}) },
    { answer: 'no content', text: 'HTTP/1.1 204 No\r\n\r\n' },
    { answer: 'something that is not HTTP', text: 'SSH-2.0-OpenSSH_9.2\r\n\r\n' },
    { answer: 'more than max_answer_bytes', text: json('x'.repeat(100_000)) },
  ])('is BadAnswer after $answer', async ({ text }) => {
    const fake = await startFake((socket) => socket.end(text))
    const client = await PythonClient.start({ url: fake.url, max_answer_bytes: 50_000 })
    for (const method of ['health', 'info'])
      expect(await client.error(method)).toMatchObject({ kind: 'BadAnswer', code: 'BAD_ANSWER' })
    expect(fake.requests.length).toBe(2)
  })

  it('is the answer of a server that closes the connection before it has read the request', async () => {
    const { port } = await listen((socket) => {
      const headers = { 'x-channelstream-error': 'SERVER_FULL', 'retry-after': '60' }
      socket.once('data', () => {
        socket.pause()
        socket.write(reply('503 Full', headers, '{}'))
        socket.destroySoon()
      })
    })
    const client = await PythonClient.start({ url: `http://127.0.0.1:${port}` })
    const big = { ...MESSAGE, message: { text: 'x'.repeat(10_000_000) } }
    const error = await client.error('message', [big])
    expect(error).toMatchObject({ code: 'SERVER_FULL', attempts: 1, retry_after: 60 })
  })

  it('is the answer of a server that does not read the whole request', async () => {
    const { client } = await start({ max_body_bytes: 1_000 })
    const big = { ...MESSAGE, message: { text: 'x'.repeat(3_000_000) } }
    expect(await client.error('message', [big])).toMatchObject({ code: 'TOO_LARGE', attempts: 1 })
    expect(await client.call('message', [MESSAGE])).toHaveLength(1)
  })

  it('comes before a request, if arguments make no sense', async () => {
    const fake = await startFake((socket) => socket.write(json({})))
    const client = await PythonClient.start({ url: fake.url })
    expect(await client.error('connect', ['ann'], { channels: 'lobby' })).toMatchObject({
      kind: 'TypeError',
      message: "expected a list of names, not the text 'lobby'",
    })
    expect((await client.error('online', ['ann'])).kind).toBe('TypeError')
    const script = `
import json, pickle, sys
from channelstream_client import *

options = [("", "s"), ("ftp://a", "s"), ("http://", "s"), ("http://a b", "s"), ("http://a?b", "s"), ("http://a#b", "s"),
    ("http://user:geheim@a", "s"), ("http://a:b", "s"), ("http://[::1", "s"), ("http://a", ""), ("http://a", None)]
named = [{"timeout": 0}, {"deadline": -1}, {"retries": -1}, {"retries": 1.5}, {"max_connections": 0}]
found = []
for args, more in [(each, {}) for each in options] + [(("http://a", "s"), each) for each in named]:
    try:
        found.append(repr(Channelstream(*args, **more)))
    except (TypeError, ValueError) as error:
        assert "geheim" not in str(error)
        found.append(type(error).__name__)
with Channelstream(sys.argv[1], "s") as client:
    for value in (float("nan"), object()):
        try:
            client.message({"user": "ann", "message": {"value": value}})
        except (TypeError, ValueError) as error:
            found.append(type(error).__name__)
error = RateLimited("text", code="A", status=429, fields={"a": 1}, retry_after=2.5)
copied = pickle.loads(pickle.dumps(error))
assert (str(copied), vars(copied)) == ("text", vars(error)) and type(copied) is RateLimited
print(json.dumps(found))
`
    const expected = [...Array<string>(9).fill('ValueError'), 'TypeError', 'TypeError']
    expect(await runPython(script, [fake.url])).toEqual([
      ...[...expected, ...Array<string>(5).fill('ValueError')],
      ...['ValueError', 'TypeError'],
    ])
    expect(fake.requests).toEqual([])
  })
})

const SIGNATURE = 'x-channelstream-secret'

describe('the url of a client in Python', () => {
  it('may have a path, under which a proxy has the server', async () => {
    const { server } = await start({ signature_scope: 'endpoint', trusted_proxies: '127.0.0.1' })
    const fake = await startFake((socket, request) => {
      const line = net.connect(server.port, server.host)
      line.pipe(socket)
      socket.on('close', () => line.destroy())
      line.write(request.replace('\r\n', '\r\nX-Script-Name: /push\r\n'))
    })
    for (const url of [`${fake.url}/push`, `${fake.url}/push/`]) {
      const client = await PythonClient.start({ url })
      expect(await client.call('connect', ['ann'])).toMatchObject({ username: 'ann' })
    }
    expect(fake.requests[0]).toMatch(/^POST \/push\/connect HTTP/)
    expect(headerOf(fake.requests[0] ?? '', 'host')).toBe(fake.url.replace('http://', ''))
  })

  it('may name an IPv6 address', async (context) => {
    const server = await startServer({ host: '::1', allow_posting_from: '::1' }).catch(() => null)
    if (!server) return context.skip('this machine has no ::1')
    onTestFinished(() => server.close())
    const client = await PythonClient.start({ url: `http://[::1]:${server.port}` })
    expect(await client.call('connect', ['ann'])).toMatchObject({ username: 'ann' })
  })

  it('may be https, with keep-alive, if the certificate is trusted', async () => {
    const { server } = await start()
    const { key, cert, file } = makeCertificate()
    const front = https.createServer({ key, cert }, (request, response) => {
      const { method, url = '', headers } = request
      const { host, port } = server
      const onward = http.request({ host, port, method, path: url, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 0, answer.headers)
        answer.pipe(response)
      })
      request.pipe(onward)
    })
    let connections = 0
    front.on('secureConnection', () => connections++)
    await new Promise<void>((resolve) => void front.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      front.closeAllConnections()
      front.close()
    })
    const url = `https://127.0.0.1:${(front.address() as AddressInfo).port}`
    const client = await PythonClient.start({ url, ca: file })
    for (let call = 0; call < 5; call++)
      expect(await client.call('connect', ['ann'])).toMatchObject({ username: 'ann' })
    const big = { ...MESSAGE, message: { text: 'x'.repeat(500_000) } }
    expect(await client.call('message', [big])).toMatchObject([{ message: big.message }])
    expect(connections).toBe(1)
    // A connection that was closed meanwhile is noticed below TLS too.
    front.closeIdleConnections()
    const again = await client.call('disconnect_user', ['ann'])
    expect(again).toMatchObject({ username: 'ann' })
    expect(connections).toBe(2)

    const untrusting = await PythonClient.start({ url })
    const error = await untrusting.error('info')
    expect(error).toMatchObject({ kind: 'BadAnswer', attempts: 1 })
    expect(error.message).toContain('CERTIFICATE_VERIFY_FAILED')
    const plain = await PythonClient.start({ url: server.url.replace('http', 'https') })
    expect(await plain.error('info')).toMatchObject({ kind: 'BadAnswer', attempts: 1 })
  })
})
