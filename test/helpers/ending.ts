import { killProcesses } from './process.ts'
import { stopRedisServers } from './redis.ts'
import { closeClients } from './websocket.ts'

/** For the end of a file of tests: closes the sockets, then ends the servers and each Redis that it has started. */
export async function endAll(): Promise<void> {
  closeClients()
  await killProcesses()
  await stopRedisServers()
}
