import { PacedRequest } from './pipelines.ts'
import type { IncomingMessage } from 'node:http'

const HOST = 'host'

/**
 * Returns whether a request is HTTP/1.0 or HTTP/1.1 and has exactly one `Host`; HTTP/1.0 may have none.
 *
 * Node's parser also accepts versions 0.9 and 2.0. If there are two `Host` headers it uses the first, where a proxy may
 * use the second.
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
 * Returns a class of requests that count as upgrades only if they are well-formed and `isUpgrade` agrees. The others
 * reach the listener for plain requests, with their body.
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
