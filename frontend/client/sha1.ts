/** SHA-1 (RFC 3174) and HMAC (RFC 2104) over bytes. */

const BLOCK_BYTES = 64

type State = [number, number, number, number, number]

export function sha1(message: Uint8Array): Uint8Array {
  const padded = pad(message)
  const state: State = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0]
  for (let at = 0; at < padded.byteLength; at += BLOCK_BYTES)
    mixIn(state, new DataView(padded.buffer, at, BLOCK_BYTES))
  const digest = new DataView(new ArrayBuffer(20))
  state.forEach((word, index) => digest.setUint32(4 * index, word))
  return new Uint8Array(digest.buffer)
}

/** `key` must not be longer than a block: RFC 2104 hashes longer keys first, and this does not. */
export function hmacSha1(key: Uint8Array, message: Uint8Array): Uint8Array {
  const keyed = (mask: number, rest: Uint8Array): Uint8Array => {
    const bytes = new Uint8Array(BLOCK_BYTES + rest.length).fill(mask, 0, BLOCK_BYTES)
    key.forEach((byte, index) => (bytes[index] = byte ^ mask))
    bytes.set(rest, BLOCK_BYTES)
    return sha1(bytes)
  }
  return keyed(0x5c, keyed(0x36, message))
}

/** Appends a one bit, zeros, and the length in bits in the last eight bytes of a block. */
function pad(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const blocks = Math.ceil((message.length + 9) / BLOCK_BYTES)
  const padded = new Uint8Array(blocks * BLOCK_BYTES)
  padded.set(message)
  padded[message.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setBigUint64(padded.length - 8, BigInt(message.length) * 8n)
  return padded
}

function mixIn(state: State, block: DataView): void {
  const words = Array.from({ length: 80 }, (_, round) =>
    round < 16 ? block.getUint32(4 * round) : 0,
  )
  const word = (round: number): number => words[round] as number
  let [a, b, c, d, e] = state
  for (let round = 0; round < 80; round++) {
    if (round >= 16)
      words[round] = rotated(
        word(round - 3) ^ word(round - 8) ^ word(round - 14) ^ word(round - 16),
        1,
      )
    const next = rotated(a, 5) + mixed(round, b, c, d) + e + word(round)
    ;[a, b, c, d, e] = [next | 0, a, rotated(b, 30), c, d]
  }
  // Truncated to 32 bits: larger numbers would lose their low bits.
  state[0] = (state[0] + a) | 0
  state[1] = (state[1] + b) | 0
  state[2] = (state[2] + c) | 0
  state[3] = (state[3] + d) | 0
  state[4] = (state[4] + e) | 0
}

const rotated = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits))

function mixed(round: number, b: number, c: number, d: number): number {
  if (round < 20) return ((b & c) | (~b & d)) + 0x5a827999
  if (round < 40) return (b ^ c ^ d) + 0x6ed9eba1
  if (round < 60) return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
  return (b ^ c ^ d) + 0xca62c1d6
}
