/** The backend of the chat. It serves the page, identifies users, and decides what they may do. */
import { readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import { Channelstream, ChannelstreamError } from 'channelstream/backend'
import { chatActions } from './actions.mjs'
import { RequestError, userName } from './input.mjs'
import { Sessions } from './sessions.mjs'

const {
  PORT = 6543,
  CHANNELSTREAM_URL: url = 'http://127.0.0.1:8000',
  CHANNELSTREAM_SECRET: secret = 'secret',
  NOTIFICATIONS_URL: notifications = 'http://127.0.0.1:6544',
} = process.env
const MAX_BODY_BYTES = 32 * 1024

const sessions = new Sessions()
const actions = chatActions(new Channelstream({ url, secret, deadlineMs: 15_000 }))

const here = (path) => new URL(path, import.meta.url)
const FILES = {
  '/': here('../index.html'),
  '/chat/': here('page/index.html'),
  '/chat/channelstream.js': new URL(import.meta.resolve('channelstream/client')),
  ...Object.fromEntries(
    readdirSync(here('page/')).map((name) => [`/chat/${name}`, here(`page/${name}`)]),
  ),
}
const TYPES = { html: 'text/html', css: 'text/css', js: 'text/javascript', mjs: 'text/javascript' }

/** No third-party content, no inline scripts or styles, and connections only to this backend and the server. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  'img-src data:',
  `connect-src 'self' ${url} ${url.replace(/^http/, 'ws')}`,
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ')

const HEADERS = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'cache-control': 'no-cache',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

async function sendFile(path, response) {
  const file = FILES[path]
  const type = TYPES[file.pathname.split('.').at(-1)]
  response.setHeader('content-type', `${type}; charset=utf-8`)
  const text = await readFile(file, 'utf8')
  response.end(path === '/' ? text.replace('NOTIFICATIONS_URL', notifications) : text)
}

/** Handles `POST /chat/api/NAME` with a JSON body. */
async function act(request, response) {
  const name = request.url.slice('/chat/api/'.length)
  const body = await bodyOf(request)
  if (name === 'sign-in') return signIn(userName(body.name), response)
  const user = sessions.nameOf(request)
  if (name === 'session') return { user: user ?? null, server: url }
  if (user === undefined) throw new RequestError(401, 'Sign in first.')
  if (name === 'sign-out') return signOut(request, response)
  if (!Object.hasOwn(actions, name)) throw new RequestError(404, 'Unknown action.')
  return actions[name](user, body)
}

function signIn(name, response) {
  const cookie = sessions.signIn(name)
  if (!cookie) throw new RequestError(409, 'That name is taken. Choose another.')
  response.setHeader('set-cookie', cookie)
  return { user: name, server: url }
}

function signOut(request, response) {
  response.setHeader('set-cookie', sessions.signOut(request))
  return {}
}

async function bodyOf(request) {
  // Pages on other ports of this machine are same-site, so their requests would carry the cookie.
  const site = request.headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin')
    throw new RequestError(403, 'Cross-origin requests are not allowed.')
  if (!(Number(request.headers['content-length']) <= MAX_BODY_BYTES))
    throw new RequestError(413, 'The request body is too large.')
  const body = await json(request).catch(() => undefined)
  if (typeof body !== 'object' || body === null)
    throw new RequestError(400, 'The request body is not a JSON object.')
  return body
}

async function answer(request, response) {
  for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value)
  const [path] = request.url.split('?')
  if (request.method === 'GET' && Object.hasOwn(FILES, path)) return sendFile(path, response)
  if (request.method !== 'POST' || !path.startsWith('/chat/api/'))
    throw new RequestError(404, 'Not found.')
  const result = await act(request, response)
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(result))
}

function fail(error, response) {
  const isExpected = error instanceof RequestError
  if (!isExpected) console.error(error instanceof ChannelstreamError ? error.message : error)
  const text = isExpected ? error.message : 'The server cannot be reached at the moment.'
  response.writeHead(isExpected ? error.status : 503, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ error: text }))
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => fail(error, response))
})
server.listen(PORT, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`))
