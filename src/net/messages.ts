import { PacedRequest } from './pipelines.ts'
import type { IncomingMessage } from 'node:http'

const HOST = 'host'

/**
 * Whether a request is HTTP/1.0 or HTTP/1.1 and names one host; HTTP/1.0 may name none.
 *
 * Node's parser also takes versions 0.9 and 2.0, and of two `Host` headers the first, where a proxy may go by the second.
 */
export function isWellFormed(request: IncomingMessage): boolean {
  if (request.httpVersionMajor !== 1) return false
  const { rawHeaders } = request
  let hosts = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]
    if (name?.length === HOST.length && name.toLowerCase() === HOST) hosts++
  }
  return hosts === 1 || (hosts === 0 && request.httpVersionMinor === 0)
}

/**
 * A class of requests that are upgrades only if they are well-formed and `isUpgrade` agrees. The others reach the listener
 * for plain requests, with their body.
 */
export function requestsWithUpgrades(
  isUpgrade: (request: IncomingMessage) => boolean,
): typeof PacedRequest {
  return class extends PacedRequest {
    override isUpgrade(asked: boolean): boolean {
      return asked && isWellFormed(this) && isUpgrade(this)
    }
  }
}
