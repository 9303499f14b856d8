/** Echoes the JSON of the request with default Fastify. */
import fastify from 'fastify'

const http = fastify()
http.post('/message', (request, reply) => reply.send(request.body))
await http.listen({ port: 0, host: '127.0.0.1', backlog: 4096 })
console.log(`listening on ${http.server.address().port}`)
