import { killProcesses } from './process.ts'
import { stopRedisServers } from './redis.ts'
import { closeClients } from './websocket.ts'

/** Call it after the tests of a file. Closes its sockets, then stops its servers and Redis servers. */
export async function endAll(): Promise<void> {
  closeClients()
  await killProcesses()
  await stopRedisServers()
}
