/** Order by code point, as Python sorts; JavaScript's own order is by UTF-16 unit, which differs beyond U+FFFF. */
export function byCodePoint(one: string, other: string): number {
  const length = Math.min(one.length, other.length)
  for (let index = 0; index < length; index++) {
    const a = one.charCodeAt(index)
    const b = other.charCodeAt(index)
    if (a !== b) return rank(a) - rank(b)
  }
  return one.length - other.length
}

/** Puts surrogates, which stand for code points from U+10000, behind U+E000 to U+FFFF. */
const rank = (unit: number): number =>
  unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit
