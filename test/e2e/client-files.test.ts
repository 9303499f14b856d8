/** The client for pages, as the server serves it. */
import { readFile } from 'node:fs/promises'
import { createContext, runInContext } from 'node:vm'
import fastify from 'fastify'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { clientFiles } from '../../src/http/client-files.ts'
import { VERSION } from '../../src/version.ts'
import { ROOT } from '../docs/markdown.ts'
import { send } from '../helpers/http.ts'
import { startServer } from '../helpers/server.ts'
import type { TestServer } from '../helpers/server.ts'

const NAMES = [
  'channelstream.js',
  'channelstream.js.map',
  'channelstream.iife.js',
  'channelstream.iife.js.map',
  'channels.js',
  'channels.js.map',
  'channels.iife.js',
  'channels.iife.js.map',
]
const PATHS = NAMES.flatMap((name) => [`/client/${name}`, `/client/${VERSION}/${name}`])

const built = (name: string): Promise<Buffer> =>
  readFile(new URL(`dist/frontend/client/${name}`, ROOT))

let server: TestServer
beforeAll(async () => {
  // A page of any origin may load the client, also where few may use the server.
  server = await startServer({ allow_cors: 'https://app.example.com' })
})
afterAll(() => server.close())

describe('the client', () => {
  it.each(PATHS)('is served to every page, as it was built: %s', async (path) => {
    const headers = { origin: 'https://elsewhere.test' }
    const answer = await send(server, `GET ${path}`, { headers })
    expect(answer.status).toBe(200)
    expect(answer.text).toBe((await built(path.split('/').at(-1) ?? '')).toString())
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': '*',
      'cross-origin-resource-policy': 'cross-origin',
      'x-content-type-options': 'nosniff',
      'content-type': path.endsWith('.map')
        ? 'application/json; charset=utf-8'
        : 'text/javascript; charset=utf-8',
      'content-length': String(Buffer.byteLength(answer.text)),
      vary: 'Accept-Encoding',
    })
    expect(answer.headers['content-encoding']).toBeUndefined()
  })

  it.each(PATHS)('is compressed for those who accept gzip: %s', async (path) => {
    const response = await fetch(server.url + path, { headers: { 'accept-encoding': 'gzip' } })
    expect(response.headers.get('content-encoding')).toBe('gzip')
    expect(response.headers.get('vary')).toBe('Accept-Encoding')
    expect(await response.text()).toBe((await built(path.split('/').at(-1) ?? '')).toString())
    const head = await send(server, `HEAD ${path}`, { headers: { 'accept-encoding': 'gzip' } })
    expect(head.headers['content-length']).toBe(response.headers.get('content-length'))
  })

  it.each([
    ['gzip, deflate, br', true],
    ['br;q=1.0, GZIP;q=0.5', true],
    ['gzip ; q=0.001', true],
    ['gzip;q=0', false],
    ['gzip; q=0.000, br', false],
    ['br', false],
    ['xgzip', false],
    ['', false],
  ])('is compressed as Accept-Encoding asks: %j', async (accepted, isGzipped) => {
    const headers = { 'accept-encoding': accepted }
    const answer = await send(server, 'HEAD /client/channelstream.js', { headers })
    expect(answer.headers['content-encoding']).toBe(isGzipped ? 'gzip' : undefined)
  })

  it.each(PATHS)('is not sent to those who have it: %s', async (path) => {
    for (const coding of ['gzip', 'identity']) {
      const asking = { 'accept-encoding': coding }
      const { etag = '', ...first } = (await send(server, `GET ${path}`, { headers: asking }))
        .headers
      for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
        const headers = { ...asking, 'if-none-match': known }
        const answer = await send(server, `GET ${path}`, { headers })
        expect([answer.status, answer.text], known).toEqual([304, ''])
        expect(answer.headers).toMatchObject({
          etag,
          vary: 'Accept-Encoding',
          'cache-control': first['cache-control'],
          'access-control-allow-origin': '*',
        })
      }
      const headers = { ...asking, 'if-none-match': `"other", x${etag}` }
      expect((await send(server, `GET ${path}`, { headers })).status).toBe(200)
    }
  })

  it('has one etag for each content and coding', async () => {
    const etags = await Promise.all(
      PATHS.flatMap((path) =>
        ['gzip', 'identity'].map(async (coding) => {
          const headers = { 'accept-encoding': coding }
          return (await send(server, `HEAD ${path}`, { headers })).headers.etag
        }),
      ),
    )
    expect(new Set(etags).size).toBe(NAMES.length * 2)
    for (const etag of etags) expect(etag).toMatch(/^"[\w-]+"$/)
  })

  it('is kept forever under its version, and checked each time without', async () => {
    const plain = await send(server, 'GET /client/channelstream.js')
    expect(plain.headers['cache-control']).toBe('no-cache')
    const versioned = await send(server, `GET /client/${VERSION}/channelstream.js`)
    expect(versioned.headers['cache-control']).toBe('public, max-age=31536000, immutable')
  })

  it.each(PATHS)('answers HEAD as GET, without the body: %s', async (path) => {
    const [get, head] = await Promise.all([
      send(server, `GET ${path}`),
      send(server, `HEAD ${path}`),
    ])
    const withoutTime = ({ date, ...rest }: Record<string, unknown>) => ({ ...rest, date: !!date })
    expect([head.status, head.text]).toEqual([200, ''])
    expect(withoutTime(head.headers)).toEqual(withoutTime(get.headers))
  })

  it.each([
    '/client',
    '/client/',
    '/client/nothing.js',
    '/client/channelstream.cjs',
    '/client/0.0.1/channelstream.js',
    `/client/${VERSION}/`,
    `/client/${VERSION}/package.json`,
    '/client/%2e%2e/channelstream.js',
    '/client/..%2fchannelstream.js',
    '/client/__proto__',
  ])('is nowhere else, and caches do not keep that: %s', async (path) => {
    const answer = await send(server, `GET ${path}`)
    expect([answer.status, answer.body]).toEqual([404, { request: 'Not Found' }])
    expect(answer.headers['cache-control']).toBe('no-store')
    expect((await send(server, 'POST /client/channelstream.js')).status).toBe(404)
  })

  it('is served behind a path prefix', async () => {
    const headers = { 'x-script-name': '/push' }
    for (const path of PATHS)
      expect((await send(server, `GET /push${path}`, { headers })).status).toBe(200)
  })

  it.each(['channelstream.js', 'channelstream.iife.js', 'channels.js', 'channels.iife.js'])(
    'names its source map, which is beside it: %s',
    async (name) => {
      const { text } = await send(server, `GET /client/${name}`)
      expect(text.trimEnd().split('\n').at(-1)).toBe(`//# sourceMappingURL=${name}.map`)
      const map = (await send(server, `GET /client/${name}.map`)).body as Record<string, string[]>
      expect(map['sources']?.length).toBeGreaterThan(3)
      expect(map['sourcesContent']?.length).toBe(map['sources']?.length)
    },
  )

  it('sets one global, with the exports of the module, if a script tag loads it', async () => {
    const { text } = await send(server, 'GET /client/channelstream.iife.js')
    const page = createContext({})
    const before = runInContext('Object.getOwnPropertyNames(globalThis)', page) as string[]
    runInContext(text, page)
    const after = runInContext('Object.getOwnPropertyNames(globalThis)', page) as string[]
    expect(after.filter((name) => !before.includes(name))).toEqual(['Channelstream'])
    const url = new URL('dist/frontend/client/channelstream.js', ROOT).href
    const exported = Object.keys((await import(url)) as object)
    const names = runInContext('Object.keys(Channelstream)', page) as string[]
    expect(names.toSorted()).toEqual(exported.toSorted())
    expect(
      runInContext('new Channelstream.ChannelstreamConnection({ channels: ["a"] }).channels', page),
    ).toEqual(['a'])
  })

  it('has channels as a second script, which adds to the global', async () => {
    const page = createContext({})
    for (const name of ['channelstream.iife.js', 'channels.iife.js'])
      runInContext((await send(server, `GET /client/${name}`)).text, page)
    const name = runInContext(
      `const connection = new Channelstream.ChannelstreamConnection()
       Channelstream.channelOf(connection, 'lobby').name`,
      page,
    ) as string
    expect(name).toBe('lobby')
  })
})

describe('a client that is not built', () => {
  it('is a warning at the start, and an answer that says what to do', async () => {
    const logged: string[] = []
    const http = fastify({
      logger: { level: 'warn', stream: { write: (line: string) => void logged.push(line) } },
    })
    onTestFinished(() => http.close())
    await http.register(clientFiles, { folder: 'nowhere/' })
    expect(logged.join()).toContain('npm run build')
    const answer = await http.inject('/client/channelstream.js')
    expect([answer.statusCode, answer.headers['content-type']]).toEqual([
      404,
      'text/plain; charset=utf-8',
    ])
    expect(answer.body).toContain('npm run build')
  })
})
