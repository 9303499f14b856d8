/** Names come from users: any text at all. */

/**
 * Text with signs for what cannot be seen but would hide, break or turn round what stands beside it: control characters
 * (␀, ␊), line separators, and marks that change the direction of writing (`\u202e`).
 */
export const visible = (text: string): string =>
  text.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, (character) => {
    const code = character.charCodeAt(0)
    if (code < 0x20) return String.fromCharCode(0x2400 + code)
    return code === 0x7f ? '␡' : `\\u${hex(code)}`
  })

/** A name as one segment of a link. Lossless, also for halves of surrogate pairs, which have no UTF-8. */
export const encodeName = (name: string): string =>
  encodeURIComponent(name.replace(/~|\p{Surrogate}/gu, (unit) => `~${hex(unit.charCodeAt(0))}`))

/** The name that `encodeName` made `segment` of, or undefined for what it never makes. */
export function decodeName(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment).replace(/~([0-9a-f]{4})/g, (_, digits: string) =>
      String.fromCharCode(parseInt(digits, 16)),
    )
  } catch {
    return undefined // a broken percent sequence: somebody typed it
  }
}

const hex = (unit: number): string => unit.toString(16).padStart(4, '0')
