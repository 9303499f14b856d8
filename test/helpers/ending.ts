import { closeStreams } from './event-stream.ts'
import { killProcesses } from './process.ts'
import { stopRedisServers } from './redis.ts'
import { closeClients } from './websocket.ts'

/** Call it after the tests of a file. Closes its sockets and streams, then stops its servers and Redis servers. */
export async function endAll(): Promise<void> {
  closeClients()
  closeStreams()
  await killProcesses()
  await stopRedisServers()
}
