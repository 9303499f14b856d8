import { readFileSync } from 'node:fs'
import fastify from 'fastify'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { servePageFiles } from '../../src/http/page-files.ts'
import { ROOT } from '../docs/markdown.ts'

const http = fastify()
beforeAll(async () => {
  servePageFiles(http, { folder: 'demo/', prefix: '/demo/', headers: { 'x-given': 'yes' } })
  const chat = { folder: 'demo/chat/page/', prefix: '/chat/', headers: {} }
  servePageFiles(http, { ...chat, index: 'index.html' })
  await http.ready()
})
afterAll(() => http.close())

it.each([
  ['/chat/chat.css', 'text/css; charset=utf-8', 'demo/chat/page/chat.css'],
  ['/chat/index.html', 'text/html; charset=utf-8', 'demo/chat/page/index.html'],
  ['/chat/', 'text/html; charset=utf-8', 'demo/chat/page/index.html'],
])('answers %s with the type %s', async (path, type, file) => {
  const { statusCode, headers, rawPayload } = await http.inject(path)
  expect([statusCode, headers['content-type']]).toEqual([200, type])
  expect(rawPayload.equals(readFileSync(new URL(file, ROOT)))).toBe(true)
})

it('answers HEAD with the same headers', async () => {
  const [get, head] = await Promise.all(
    (['GET', 'HEAD'] as const).map((method) => http.inject({ method, url: '/demo/index.html' })),
  )
  expect({ ...head?.headers, date: '' }).toEqual({ ...get?.headers, date: '' })
  expect(head?.headers).toMatchObject({ 'x-given': 'yes' })
})

it.each([
  '/demo/', // without an index
  '/demo/missing.js',
  '/demo/chat', // a folder
  '/demo/chat/page/chat.css',
  '/demo/chat%2fpage%2fchat.css',
  '/demo/..%2fpackage.json',
  '/demo/..%5cpackage.json',
  '/demo/%2fetc%2fpasswd',
  '/demo/%2e%2e',
  '/demo/.hidden',
  `/demo/${'a'.repeat(300)}.js`,
  '/demo/%00',
  '/demo/index.html%00',
])('answers %s with 404', async (url) => {
  const { statusCode, headers } = await http.inject(url)
  expect([statusCode, headers['x-given']]).toEqual([404, undefined])
})
