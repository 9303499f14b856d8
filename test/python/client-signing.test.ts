/** What examples/python/channelstream_client.py signs and verifies: requests, webhooks and tokens for Philote. */
import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { TokenChecker } from '../../src/philote/token.ts'
import { INSTALL_TIMEOUT_MS, setup } from '../helpers/debian-packages.ts'
import { Backend, send, until } from '../helpers/http.ts'
import { freePort } from '../helpers/ports.ts'
import { startServer } from '../helpers/server.ts'
import { WebhookReceiver } from '../helpers/webhook-receiver.ts'
import { Client } from '../philote/client.ts'
import { runPython } from './client-driver.ts'
import type { Received } from '../helpers/webhook-receiver.ts'

beforeAll(setup, INSTALL_TIMEOUT_MS)

describe('a signature of the client in Python', () => {
  const SIGN = `
import json, sys, time
from itsdangerous import TimestampSigner
from channelstream_client import sign

class At(TimestampSigner):
    def get_timestamp(self):
        return self.at

def theirs(secret, text, at):
    signer = At(secret)
    signer.at = at
    return signer.sign(text).decode()

cases = json.load(sys.stdin)
pairs = [(sign(*case), theirs(*case)) for case in cases]
assert TimestampSigner("s").unsign(sign("s", "/connect"), max_age=5) == b"/connect"
print(json.dumps(pairs))
`
  const SECRETS = ['secret', 'Ünï-sécret 42', 'a.b.c', '秘密 🔑', ' ', '\0', 'x'.repeat(300)]
  const TEXTS = ['/connect', '', 'with.dots..', 'grüße', '🙂', 'line\nbreak\0']
  const TIMES = [0, 1, 255, 256, 1_700_000_000, 2 ** 32, 2 ** 40]

  const check = async (cases: readonly (readonly [string, string, number])[]) => {
    const pairs = (await runPython(SIGN, [], { input: JSON.stringify(cases) })) as string[][]
    expect(pairs).toHaveLength(cases.length)
    for (const [ours, theirs] of pairs) expect(ours).toBe(theirs)
  }

  it('is that of itsdangerous', async () => {
    await check(
      SECRETS.flatMap((secret) =>
        TEXTS.flatMap((text) => TIMES.map((at) => [secret, text, at] as const)),
      ),
    )
  })

  it('is that of itsdangerous for any secret, text and time', async () => {
    const text = fc.string({ unit: 'binary' })
    const secret = fc.string({ unit: 'binary', minLength: 1 })
    const one = fc.tuple(secret, text, fc.integer({ min: 0, max: 2 ** 47 }))
    await fc.assert(fc.asyncProperty(fc.array(one, { minLength: 50, maxLength: 100 }), check), {
      numRuns: 5,
      endOnFailure: true,
    })
  })
})

/** Verifies requests: prints the events of each, or the name of the error. */
const VERIFY = `
import json, sys
from channelstream_client import InvalidSignature, verify_webhook

found = []
for headers, body, secrets, named in json.load(sys.stdin):
    try:
        found.append(verify_webhook(headers, body.encode(), secrets, **named))
    except (InvalidSignature, ValueError) as error:
        found.append(type(error).__name__)
print(json.dumps(found))
`
type Case = readonly [headers: object, body: string, secrets: unknown, named: object]
const verify = (cases: readonly Case[]) =>
  runPython(VERIFY, [], { input: JSON.stringify(cases) }) as Promise<unknown[]>

describe('verify_webhook', () => {
  it('returns the events of requests of a real server, while secrets are changed too', async () => {
    const receiver = await WebhookReceiver.start()
    const server = await startServer({
      webhook_url: `${receiver.url}?query=1`,
      webhook_secret: 'wörd',
      webhook_secret_fallbacks: 'former',
      webhook_events: 'joined, message',
    })
    onTestFinished(() => server.close())
    const backend = new Backend(server)
    await backend.connect('ann', ['lobby'])
    await backend.say('lobby', 'ä 🔑')
    await receiver.got('joined lobby ann')
    await until(() => receiver.lines.includes('message lobby'), 'the message')
    const path = '/hook'
    const withSecrets = (secrets: unknown, named: object = { path }): Case[] =>
      receiver.requests.map(({ headers, text }) => [headers, text, secrets, named])
    const expected = receiver.requests.map(({ body }) => body.events)
    for (const secrets of ['wörd', 'former', ['next', 'former'], ['wörd', 'next']])
      expect(await verify(withSecrets(secrets))).toEqual(expected)
    const refused = expected.map(() => 'InvalidSignature')
    expect(await verify(withSecrets('word'))).toEqual(refused)
    expect(await verify(withSecrets('wörd', { path: '/hook?query=1' }))).toEqual(refused)
    const none = expected.map(() => 'ValueError')
    for (const secrets of ['', [], ['wörd', '']])
      expect(await verify(withSecrets(secrets))).toEqual(none)
    const [{ headers, text }] = receiver.requests as [Received]
    const upper = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value]),
    )
    expect(await verify([[upper, text, 'wörd', { path }]])).toEqual([expected[0]])
  })

  it('refuses what is changed, too old, too new or malformed', async () => {
    const now = Math.floor(Date.now() / 1000)
    const body = '{"events": [{"id": "1"}]}'
    const signed = (at: number | string, secret = 's', path = '/hook') => ({
      'X-Channelstream-Webhook-Timestamp': String(at),
      'X-Channelstream-Webhook-Signature': createHmac('sha256', secret)
        .update(`${at}.${path}.${body}`)
        .digest('hex'),
    })
    const named = { path: '/hook' }
    const ofHeaders = (headers: object): Case => [headers, body, 's', named]
    const { 'X-Channelstream-Webhook-Signature': signature, ...timestamp } = signed(now)
    const withSignature = (text: string) =>
      ofHeaders({ ...timestamp, 'X-Channelstream-Webhook-Signature': text })
    const good: Case[] = [
      ofHeaders(signed(now)),
      ofHeaders(signed(now - 290)),
      ofHeaders(signed(now + 290)),
      withSignature(`${'0'.repeat(64)},${signature}`),
      [signed(now - 3_000), body, 's', { ...named, tolerance_seconds: 4_000 }],
    ]
    const bad: Case[] = [
      ofHeaders(signed(now - 310)),
      ofHeaders(signed(now + 310)),
      [signed(now - 20), body, 's', { ...named, tolerance_seconds: 10 }],
      ofHeaders(signed(now, 'other')),
      ofHeaders(signed(now, 's', '/other')),
      [signed(now), `${body} `, 's', named],
      ofHeaders({ ...signed(now), 'X-Channelstream-Webhook-Timestamp': String(now - 1) }),
      ofHeaders(signed('')),
      ofHeaders(signed('now')),
      ofHeaders(signed('-1')),
      ofHeaders(signed('１７９６０６９６０５')),
      ofHeaders(signed('9'.repeat(5_000))),
      ofHeaders({}),
      ofHeaders(timestamp),
      withSignature(''),
      withSignature(','),
      withSignature(`é\udc80${signature}`),
      withSignature(signature.toUpperCase()),
      withSignature(signature.slice(0, 63)),
    ]
    expect(await verify(good)).toEqual(good.map(() => [{ id: '1' }]))
    expect(await verify(bad)).toEqual(bad.map(() => 'InvalidSignature'))
  })
})

describe('philote_token', () => {
  const open: Client[] = []
  afterEach(() => open.splice(0).forEach(({ socket }) => socket.terminate()))

  const tokens = (secret: string, ...all: readonly object[]) =>
    runPython(
      `
import json, sys
from channelstream_client import philote_token
print(json.dumps([philote_token(sys.argv[1], **named) for named in json.loads(sys.argv[2])]))
`,
      [secret, JSON.stringify(all)],
    ) as Promise<string[]>

  it('makes tokens that the Philote port accepts, for the channels in it', async () => {
    const port = await freePort()
    const secret = 'philote sécret'
    const server = await startServer({ philote_port: port, philote_secret: secret })
    onTestFinished(() => server.close())
    const [reading = '', writing = '', forApi = ''] = await tokens(
      secret,
      { read: ['lobby'], expires_in: 60 },
      { write: ['lobby'] },
      { api: true },
    )
    const dial = async (name: string, token: string): Promise<Client> => {
      const client = await Client.dial(name, `ws://127.0.0.1:${port}/?auth=${token}&errors=1`)
      open.push(client)
      expect(client.isOpen).toBe(true)
      return client
    }
    const reader = await dial('reader', reading)
    const writer = await dial('writer', writing)
    writer.socket.send(JSON.stringify({ channel: 'lobby', data: 'hello' }))
    await until(() => reader.inbox.length > 0, 'the message')
    expect(JSON.parse(reader.inbox[0]?.text ?? '')).toMatchObject({ data: 'hello' })
    reader.socket.send(JSON.stringify({ channel: 'lobby', data: 'hello' }))
    await until(() => reader.inbox.length > 1, 'the refusal')
    expect(JSON.parse(reader.inbox[1]?.text ?? '')).toMatchObject({ error: 'not permitted' })
    const api = async (token: string) => {
      const headers = { authorization: `Bearer ${token}` }
      return (await send({ host: '127.0.0.1', port }, 'GET /api/info', { headers })).body
    }
    expect(await api(forApi)).toBeTypeOf('object')
    expect(await api(writing)).not.toBeTypeOf('object')
  })

  it('writes names as they are, and the time when a token expires', async () => {
    const names = ['ä 秘密 🔑', '', 'a,b', '"\\']
    const [token = '', empty = ''] = await tokens('s', { read: names, expires_in: 60 }, {})
    const at = (seconds: number) => new TokenChecker('s', () => Date.now() + seconds * 1000)
    expect(await at(0).check(token)).toEqual({ read: names, write: new Set(), api: false })
    expect(await at(55).check(token)).not.toHaveProperty('refusal')
    expect(await at(65).check(token)).toHaveProperty('refusal')
    expect(await at(1e9).check(empty)).toEqual({ read: [], write: new Set(), api: false })
    expect(await new TokenChecker('t', () => Date.now()).check(token)).toHaveProperty('refusal')
  })

  it('makes none that anybody could make, or that has expired', async () => {
    await expect(tokens('')).resolves.toEqual([])
    await expect(tokens('', {})).rejects.toThrow('ValueError: the secret is empty')
    for (const expires_in of [0, -1])
      await expect(tokens('s', { expires_in })).rejects.toThrow('ValueError: expires_in')
    await expect(tokens('s', { read: 'lobby' })).rejects.toThrow('TypeError: expected a list')
  })
})
