/** `node ws-bare.mjs URL-OF-WS`: POST /publish/NAME sends the body to each socket that opened /listen/NAME. */
import { createServer } from 'node:http'

const ws = await import(process.argv[2])
const { WebSocketServer } = ws.default
const channels = new Map()
const nameIn = (url) => url.slice(url.lastIndexOf('/') + 1)

const server = createServer((request, response) => {
  const parts = []
  request.on('data', (part) => parts.push(part))
  request.on('end', () => {
    const message = Buffer.concat(parts)
    for (const socket of channels.get(nameIn(request.url)) ?? [])
      socket.send(message, { binary: false })
    response.end('ok')
  })
})
const sockets = new WebSocketServer({ server, perMessageDeflate: false })
sockets.on('connection', (socket, request) => {
  const name = nameIn(request.url)
  if (!channels.has(name)) channels.set(name, new Set())
  const members = channels.get(name)
  members.add(socket)
  socket.on('close', () => members.delete(socket))
})
server.listen(0, '127.0.0.1', 4096, () => console.log(`listening on ${server.address().port}`))
