/** Takes the requests of webhooks, and forgets them. */
import { createServer } from 'node:http'

const server = createServer((request, response) => {
  request.resume()
  request.on('end', () => response.writeHead(204).end())
})
server.listen(0, '127.0.0.1', 4096, () => console.log(`listening on ${server.address().port}`))
