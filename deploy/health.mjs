/** Ends with 0 if the server in this container responds. For images without curl. */
import { get } from 'node:http'

const { CHANNELSTREAM_HOST: host = '', CHANNELSTREAM_PORT: port = 8000 } = process.env
const server = host.startsWith('unix:')
  ? { socketPath: host.slice('unix:'.length) }
  : { host: '127.0.0.1', port: Number(port) }

const request = get({ ...server, path: '/health/live', timeout: 4000 }, (answer) => {
  console.log(`status ${answer.statusCode}`)
  process.exit(answer.statusCode === 200 ? 0 : 1)
})
request.on('timeout', () => request.destroy(new Error('no answer within 4 s')))
request.on('error', (error) => {
  console.log(error.message)
  process.exit(1)
})
