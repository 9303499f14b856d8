/** Reads `X-Forwarded-For`, in which each proxy names the peer that it got the request from. */
import { isIP, isIPv4, isIPv6 } from 'node:net'

const MAX_PORT = 65_535
/** An address with a port, or in brackets with or without one. */
const WITH_PORT = /^(?:\[([\d:a-f.]+)\]|([\d.]+))(?::(\d{1,5}))?$/i

/**
 * Returns the first address from the right that `isTrusted` refuses, and if there is none, the leftmost one. Returns
 * `peer`, the address of a trusted proxy that sent the header, if there is no address in it.
 *
 * Returns undefined if that entry is no address. What is left of it is never read: the client may have invented it.
 */
export function clientIn(
  header: string | undefined,
  peer: string,
  isTrusted: (address: string) => boolean,
): string | undefined {
  let client = peer
  let isProxy = true
  let end = header?.length ?? 0
  while (header !== undefined && end > 0 && isProxy) {
    const start = header.lastIndexOf(',', end - 1) + 1
    const entry = header.slice(start, end).trim()
    end = start - 1
    if (entry === '') continue
    const address = addressIn(entry)
    if (address === undefined) return undefined
    client = address
    isProxy = isTrusted(client)
  }
  return client
}

/**
 * Returns the address of an entry, without its port. Some proxies write a port (`192.0.2.1:5678`, `[2001:db8::1]:443`),
 * brackets or quotes.
 */
function addressIn(entry: string): string | undefined {
  const text = /^"([^"]*)"$/.exec(entry)?.[1] ?? entry
  if (isIP(text) > 0) return text
  const [, bracketed = '', plain = '', port = '0'] = WITH_PORT.exec(text) ?? []
  if (Number(port) > MAX_PORT) return undefined
  if (isIPv6(bracketed)) return bracketed
  return isIPv4(plain) ? plain : undefined
}
