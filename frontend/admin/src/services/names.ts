/** Names come from users and may be any text. */

/**
 * Replaces invisible characters that could hide, break or reverse the text around them: control characters (␀, ␊),
 * line separators, and marks that change the writing direction (`\u202e`).
 */
export const visible = (text: string): string =>
  text.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, (character) => {
    const code = character.charCodeAt(0)
    if (code < 0x20) return String.fromCharCode(0x2400 + code)
    return code === 0x7f ? '␡' : `\\u${hex(code)}`
  })

/** Encodes a name as one path segment. Lossless, also for lone surrogates, which have no UTF-8 encoding. */
export const encodeName = (name: string): string =>
  encodeURIComponent(name.replace(/~|\p{Surrogate}/gu, (unit) => `~${hex(unit.charCodeAt(0))}`))

/** Reverses `encodeName`. Returns undefined for an invalid segment. */
export function decodeName(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment).replace(/~([0-9a-f]{4})/g, (_, digits: string) =>
      String.fromCharCode(parseInt(digits, 16)),
    )
  } catch {
    return undefined // an invalid percent sequence, typed by hand
  }
}

const hex = (unit: number): string => unit.toString(16).padStart(4, '0')
