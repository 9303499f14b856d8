/** Lists of network addresses, as in `allow_posting_from` and `trusted_proxies`. */
import { BlockList, isIP, isIPv4, isIPv6, SocketAddress } from 'node:net'

/** As an entry of its own: everybody, as in Channelstream. */
const EVERYONE = '0.0.0.0'
const MAPPED_PREFIX = '::ffff:'
const MAPPED_BITS = 96

/**
 * A set of addresses, written as addresses and CIDR ranges of IPv4 and IPv6. IPv4 addresses in IPv6
 * clothes (`::ffff:10.1.2.3`) are IPv4 addresses, in entries and in questions.
 *
 * Entries may have spaces around them, and empty ones count as none (recorded: signature-address-list).
 * `0.0.0.0` without a range means everyone. The constructor throws an `Error` that names the first entry
 * that is neither.
 */
export class AddressList {
  /** No entries, which means nobody. */
  readonly isEmpty: boolean
  readonly #everyone: boolean
  readonly #ipv4 = new BlockList()
  readonly #ipv6 = new BlockList()
  /** The last question: a backend asks from one address, and a look into a BlockList takes microseconds. */
  #asked: { readonly address: string; readonly answer: boolean } | undefined

  constructor(entries: readonly string[]) {
    const given = entries.map((entry) => entry.trim()).filter((entry) => entry !== '')
    this.isEmpty = given.length === 0
    this.#everyone = given.includes(EVERYONE)
    for (const entry of given) this.#add(entry)
  }

  /** Whether the list has `address`. What is no address (no peer, garbage) is in no list but everyone's. */
  includes(address: string | undefined): boolean {
    if (this.#everyone) return true
    if (address === undefined) return false
    if (this.#asked?.address !== address) this.#asked = { address, answer: this.#has(address) }
    return this.#asked.answer
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
 * One spelling for each address: IPv6 in its short form without zone, IPv4 in IPv6 clothes as IPv4.
 * `address` has to be an address (`net.isIP`); a `TypeError` is thrown otherwise.
 */
export function plainAddress(address: string): string {
  if (isIPv4(address)) return address
  const short = new SocketAddress({ address, family: 'ipv6' }).address
  const mapped = short.startsWith(MAPPED_PREFIX) ? short.slice(MAPPED_PREFIX.length) : ''
  return isIPv4(mapped) ? mapped : short
}

const IPV6_GROUPS = 8
/** 64 bits: what a provider gives a customer at least, who has all addresses in it. */
const NETWORK_GROUPS = 4

/**
 * The addresses that one client has at its disposal: an IPv4 address, or the /64 of an IPv6 address. What is no address
 * stays as it is.
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
