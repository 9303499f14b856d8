import { REDIS_URL, faultOf } from '../config/philote-environment.ts'
import { discard } from '../lib/redis-client.ts'
import { answered } from '../philote/redis-connection.ts'

const CONNECT_TIMEOUT_MS = 5000

/**
 * The answer of Redis to one command, on a connection of its own. Rejects if there is no Redis at `url`, if it says
 * something against the command, or nothing for some seconds; the reason never has the url in it, which may have a
 * password.
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
  client.on('error', () => {}) // what was asked fails with it
  try {
    return await answered(client.connect().then(() => client.sendCommand(command)))
  } finally {
    discard(client)
  }
}
