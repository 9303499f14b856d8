/** `node socketio.mjs URL-OF-SOCKET.IO`: POST /publish/NAME sends the body to the room NAME. */
import { createServer } from 'node:http'

const { Server } = await import(process.argv[2])
const server = createServer((request, response) => {
  const parts = []
  request.on('data', (part) => parts.push(part))
  request.on('end', () => {
    const room = request.url.slice(request.url.lastIndexOf('/') + 1)
    io.to(room).emit('message', Buffer.concat(parts).toString())
    response.end('ok')
  })
})
const io = new Server(server, { transports: ['websocket'], serveClient: false })
io.on('connection', (socket) => void socket.join(socket.handshake.query.channel))
server.listen(0, '127.0.0.1', 4096, () => console.log(`listening on ${server.address().port}`))
