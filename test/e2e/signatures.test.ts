import { afterAll, describe, expect, it } from 'vitest'
import { Backend, send, signature } from '../helpers/http.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { startServer } from '../helpers/server.ts'

const now = (): number => Math.floor(Date.now() / 1000)

describe('signatures', () => {
  afterAll(killProcesses)

  it('for any text open every endpoint, by default', async () => {
    const server = await startServer()
    for (const value of ['', '/info', 'anything', 'a.b.c'])
      expect((await send(server, 'POST /info', { headers: signature({ value }) })).status).toBe(200)
    await server.close()
  })

  it('open the one endpoint that they name, with signature_scope = endpoint', async () => {
    const server = await startServer({ signature_scope: 'endpoint' })
    const status = async (line: string, value: string, more: object = {}) =>
      (await send(server, line, { headers: { ...signature({ value }), ...more }, json: [] })).status
    expect(await status('POST /message', '/message')).toBe(200)
    expect(await status('PATCH /message', '/message')).toBe(200)
    expect(await status('POST /message?x=y', '/message')).toBe(200)
    expect(await status('POST /push/message', '/message', { 'x-script-name': '/push' })).toBe(200)
    for (const value of ['', 'anything', '/info', 'message', '/message/', '/messages', '/Message'])
      expect(await status('POST /message', value), value).toBe(401)
    expect(await status('POST /push/message', '/push/message', { 'x-script-name': '/push' })).toBe(
      401,
    )
    expect(await status('GET /admin/admin.json', '/info')).toBe(401)
    const query = `secret=${signature({ value: '/info' })['x-channelstream-secret']}`
    expect((await send(server, `POST /info?${query}`)).status).toBe(200)
    expect((await send(server, `POST /message?${query}`)).status).toBe(401)
    await server.close()
  })

  it('do not count from an address that may not post: the header says so, and the log the address', async () => {
    const settings = { allow_posting_from: '192.0.2.1' }
    const server = await ServerProcess.start({ settings })
    const answers = [await send(server, 'POST /info')]
    for (let n = 0; n < 5; n++) answers.push(await new Backend(server).send('POST /info'))
    for (const [n, { status, body, headers }] of answers.entries()) {
      expect({ status, body }).toEqual({ status: 403, body: { request: 'Forbidden' } })
      const code = n === 0 ? 'FORBIDDEN' : 'ADDRESS_NOT_ALLOWED'
      expect(headers['x-channelstream-error']).toBe(code)
    }
    server.signal('SIGTERM')
    await server.exited
    const told = server.stderr.split('\n').filter((line) => line.includes('allow_posting_from'))
    expect(told.map((line) => JSON.parse(line) as object)).toMatchObject([
      { level: 40, refused: 1, address: '127.0.0.1' },
      { level: 40, refused: 4, address: '127.0.0.1' },
    ])
  })

  it('are good for ever where their age does not matter, but never without the secret', async () => {
    const server = await startServer({ validate_requests: false })
    const status = async (headers: object) =>
      (await send(server, 'POST /info', { headers: { ...headers } })).status
    expect(await status(signature({ atSeconds: now() - 10_000_000 }))).toBe(200)
    expect(await status(signature({ secret: 'other' }))).toBe(401)
    expect(await status({})).toBe(403)
    await server.close()
  })

  it('may be made with a former secret as long as that is listed, and are cached like others', async () => {
    const shared = { secret: 'new, with a comma', max_cached_signatures: 2 }
    const rotating = await startServer({ ...shared, secret_fallbacks: 'old one\nolder' })
    const done = await startServer(shared)
    const signed = (secret: string, value = '') => signature({ secret, value })
    const status = async (server: typeof done, headers: object, line = 'POST /info') =>
      (await send(server, line, { headers: { ...headers } })).status
    const former = signed('old one')
    for (let round = 0; round < 3; round++) {
      expect(await status(rotating, former)).toBe(200)
      expect(await status(rotating, signed('older'))).toBe(200)
      expect(await status(rotating, signed(shared.secret))).toBe(200)
      expect(await status(rotating, signed('old'))).toBe(401)
      expect(await status(rotating, signed('old one\nolder'))).toBe(401)
    }
    expect(await status(done, signed(shared.secret))).toBe(200)
    expect(await status(done, former)).toBe(401)
    await Promise.all([rotating.close(), done.close()])
  })

  it('expire while the server remembers them', async () => {
    const server = await startServer()
    const old = signature({ atSeconds: now() - 59 })
    const status = async () => (await send(server, 'POST /info', { headers: old })).status
    expect(await status()).toBe(200)
    await new Promise((resolve) => setTimeout(resolve, 2_100))
    expect(await status()).toBe(401)
    await server.close()
  })

  it('are checked by a module of the operator’s, which gets the secret', async () => {
    const checker = `
      export async function createSignatureChecker({ secret, maxAgeSeconds }) {
        if (maxAgeSeconds !== 60) throw new Error('unexpected age')
        return {
          verify(signed, nowSeconds) {
            if (signed === 'crash') throw new Error('checker broke: ' + secret)
            if (signed !== 'open ' + secret) return undefined
            return { value: signed, timestamp: nowSeconds, expiresAt: nowSeconds + 1 }
          },
        }
      }`
    const server = await ServerProcess.start({
      files: { 'checker.mjs': checker },
      settings: { signature_checker: './checker.mjs', secret: 'sesame', host: '127.0.0.1' },
    })
    const status = async (text: string) =>
      (await send(server, 'POST /info', { headers: { 'x-channelstream-secret': text } })).status
    expect(await status('open sesame')).toBe(200)
    expect(await status('open barley')).toBe(401)
    expect((await new Backend(server, 'sesame').send('POST /info')).status).toBe(401)

    const headers = { 'x-channelstream-secret': 'crash' }
    const crash = await send(server, 'POST /info', { headers })
    expect(crash).toMatchObject({ status: 500, body: { request: 'Internal error' } })
    expect(await status('open sesame')).toBe(200)
    expect(server.exit).toBeUndefined()
  })
})
