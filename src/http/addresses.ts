/** Lists of network addresses, as in `allow_posting_from` and `trusted_proxies`. */
import { BlockList, isIP, isIPv4, isIPv6, SocketAddress } from 'node:net'

/** An entry that matches every address, as in Channelstream. */
const EVERYONE = '0.0.0.0'
const MAPPED_PREFIX = '::ffff:'
const MAPPED_BITS = 96

/**
 * A set of addresses, given as IPv4 and IPv6 addresses and CIDR ranges. IPv4-mapped IPv6 addresses (`::ffff:10.1.2.3`)
 * are treated as IPv4, both in entries and in lookups.
 *
 * Spaces around entries are ignored, and so are empty entries (recorded: signature-address-list). `0.0.0.0` without a
 * range means every address. The constructor throws an `Error` that names the first invalid entry.
 */
export class AddressList {
  #isEmpty = true
  #everyone = false
  #ipv4 = new BlockList()
  #ipv6 = new BlockList()
  /** The last lookup. A backend calls from one address, and a lookup in a `BlockList` takes microseconds. */
  #lastLookup: { readonly address: string; readonly answer: boolean } | undefined

  constructor(entries: readonly string[]) {
    this.replace(entries)
  }

  /** True if the list has no entries and therefore matches nothing. */
  get isEmpty(): boolean {
    return this.#isEmpty
  }

  /** Replaces all entries. Throws like the constructor. */
  replace(entries: readonly string[]): void {
    const given = entries.map((entry) => entry.trim()).filter((entry) => entry !== '')
    this.#isEmpty = given.length === 0
    this.#everyone = given.includes(EVERYONE)
    this.#ipv4 = new BlockList()
    this.#ipv6 = new BlockList()
    this.#lastLookup = undefined
    for (const entry of given) this.#add(entry)
  }

  /** Returns whether the list contains `address`. A missing or malformed address matches only a list for everyone. */
  includes(address: string | undefined): boolean {
    if (this.#everyone) return true
    if (address === undefined) return false
    if (this.#lastLookup?.address !== address)
      this.#lastLookup = { address, answer: this.#has(address) }
    return this.#lastLookup.answer
  }

  #has(address: string): boolean {
    if (isIP(address) === 0) return false
    const plain = plainAddress(address)
    return isIPv4(plain) ? this.#ipv4.check(plain, 'ipv4') : this.#ipv6.check(plain, 'ipv6')
  }

  #add(entry: string): void {
    const { address, prefix } = parseRange(entry)
    if (isIPv4(address)) this.#ipv4.addSubnet(address, prefix, 'ipv4')
    else this.#ipv6.addSubnet(address, prefix, 'ipv6')
  }
}

/**
 * Returns the normal form of an address: IPv6 in its short form without a zone, IPv4-mapped IPv6 as IPv4. Throws a
 * `TypeError` if `address` is not an address (`net.isIP`).
 */
export function plainAddress(address: string): string {
  if (isIPv4(address)) return address
  const short = new SocketAddress({ address, family: 'ipv6' }).address
  const mapped = short.startsWith(MAPPED_PREFIX) ? short.slice(MAPPED_PREFIX.length) : ''
  return isIPv4(mapped) ? mapped : short
}

const IPV6_GROUPS = 8
/** 64 bits: the smallest network that a provider assigns to a customer, who can use every address in it. */
const NETWORK_GROUPS = 4

/**
 * Returns the network that one client controls: an IPv4 address, or the /64 of an IPv6 address. Anything that is not an
 * address is returned unchanged.
 */
export function networkOf(address: string): string {
  const plain = isIP(address) === 0 ? address : plainAddress(address)
  if (!isIPv6(plain)) return plain
  const [before, after = []] = plain.split('::').map(groupsOf)
  const known = before ?? []
  const zeros = Array<string>(Math.max(0, IPV6_GROUPS - known.length - after.length)).fill('0')
  return `${[...known, ...zeros, ...after].slice(0, NETWORK_GROUPS).join(':')}::/64`
}

const groupsOf = (part: string): string[] => part.split(':').filter((group) => group !== '')

function parseRange(entry: string): { address: string; prefix: number } {
  const [text = '', prefixText, ...rest] = entry.split('/')
  const bits = isIPv4(text) ? 32 : 128
  const prefix = Number(prefixText ?? bits)
  const isPrefix = prefixText === undefined || /^\d{1,3}$/.test(prefixText)
  if (isIP(text) === 0 || text.includes('%') || rest.length > 0 || !isPrefix || prefix > bits) {
    throw badEntry(entry)
  }
  const address = plainAddress(text)
  if (bits === 32 || !isIPv4(address)) return { address, prefix }
  if (prefix < MAPPED_BITS) throw badEntry(entry) // partly IPv4, partly not: nobody means that
  return { address, prefix: prefix - MAPPED_BITS }
}

function badEntry(entry: string): Error {
  return new Error(`'${entry}' is neither an address nor a range such as 10.0.0.0/8 or fd00::/8`)
}
