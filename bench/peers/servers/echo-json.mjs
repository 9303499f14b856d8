/** Parses the JSON of the request, serializes it again, and sends it back. */
import { createServer } from 'node:http'

const server = createServer((request, response) => {
  const parts = []
  request.on('data', (part) => parts.push(part))
  request.on('end', () => {
    const value = JSON.parse(Buffer.concat(parts).toString())
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(value))
  })
})
server.listen(0, '127.0.0.1', 4096, () => console.log(`listening on ${server.address().port}`))
