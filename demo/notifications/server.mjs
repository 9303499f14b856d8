// Notifications: a minimal backend. Start a Channelstream server first, then: node server.mjs
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { Channelstream } from 'channelstream/backend'

const { CHANNELSTREAM_URL: url = 'http://127.0.0.1:8000', PORT = 6544 } = process.env
const stream = new Channelstream({ url, secret: process.env.CHANNELSTREAM_SECRET ?? 'secret' })
const page = await readFile(new URL('index.html', import.meta.url), 'utf8')

const routes = {
  'GET /': () => page.replaceAll('SERVER', url),
  // A real backend takes the user from the session, and decides which channels they may join.
  'POST /connect': async () => {
    const { conn_id } = await stream.connect({ username: 'visitor', channels: ['news'] })
    return JSON.stringify({ conn_id })
  },
  // A real backend calls this when something happens, such as a new order or a finished build.
  'POST /notify': async (text) =>
    JSON.stringify(await stream.message({ user: 'shop', channel: 'news', message: { text } })),
}

const server = createServer(async (request, response) => {
  try {
    const answer = await routes[`${request.method} ${request.url}`]?.(await text(request))
    const type = request.url === '/' ? 'text/html' : 'text/javascript'
    response.writeHead(answer ? 200 : 404, { 'content-type': `${type}; charset=utf-8` }).end(answer)
  } catch (error) {
    console.error(error)
    response.writeHead(500).end()
  }
})
server.listen(PORT, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`))
