/** Ends with 0 if the server in this container responds. For images without curl. */
import { get } from 'node:http'

const port = Number(process.env.CHANNELSTREAM_PORT ?? 8000)

const request = get({ host: '127.0.0.1', port, path: '/health/live', timeout: 4000 }, (answer) => {
  console.log(`status ${answer.statusCode}`)
  process.exit(answer.statusCode === 200 ? 0 : 1)
})
request.on('timeout', () => request.destroy(new Error('no answer within 4 s')))
request.on('error', (error) => {
  console.log(error.message)
  process.exit(1)
})
