import { REDIS_URL, faultOf } from '../config/philote-environment.ts'
import { discard } from '../lib/redis-client.ts'
import { withAnswerTimeout } from '../philote/redis-connection.ts'

const CONNECT_TIMEOUT_MS = 5000

/**
 * Sends one command to Redis, on its own connection. Resolves with the answer. Rejects if there is no Redis at `url`,
 * if the command fails, or on a timeout. The reason never contains the url, which may contain a password.
 */
export async function askRedis(url: string | undefined, command: string[]): Promise<unknown> {
  if (url === undefined) throw new Error('REDIS_URL is not set')
  if (REDIS_URL.read(url) === undefined) throw new Error(`REDIS_URL: ${faultOf(REDIS_URL, url)}`)
  const { createClient } = await import('@redis/client')
  const client = createClient({
    url,
    RESP: 2,
    disableClientInfo: true,
    socket: { connectTimeout: CONNECT_TIMEOUT_MS, reconnectStrategy: false },
  })
  client.on('error', () => {}) // the command fails with the same error
  try {
    return await withAnswerTimeout(client.connect().then(() => client.sendCommand(command)))
  } finally {
    discard(client)
  }
}
