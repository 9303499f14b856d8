/** Echoes the request body. */
import { createServer } from 'node:http'

const server = createServer((request, response) => {
  const parts = []
  request.on('data', (part) => parts.push(part))
  request.on('end', () => response.end(Buffer.concat(parts)))
})
server.listen(0, '127.0.0.1', 4096, () => console.log(`listening on ${server.address().port}`))
