/** Long-poll answers for pages that load them as a script: `?callback=`. */
import { unicodeEscape } from '../lib/escapes.ts'
import { CALLBACK_PATTERN, MAX_CALLBACK_CHARACTERS } from '../protocol/queries.ts'

const CALLBACK_FORM = new RegExp(CALLBACK_PATTERN)
// In JSON these characters occur only inside strings, where their escapes mean the same. `<` could end or open a script
// in a page that embeds the answer. The separators ended a line of script before ES2019.
const UNSAFE_IN_SCRIPT = /[<\u2028\u2029]/g

/**
 * Returns whether `text` names a JavaScript function, such as `a.b_c.$d` or `handlers[0]`, in ASCII and at most 128
 * characters. Anything else would let the caller run a script of their choice on the server's own origin.
 */
export function isCallbackName(text: string): boolean {
  return text.length <= MAX_CALLBACK_CHARACTERS && CALLBACK_FORM.test(text)
}

/**
 * Returns the script that passes `json`, a complete JSON text, to `callback`: `callback([...])`, as Channelstream
 * writes it. Throws a `RangeError` unless {@link isCallbackName} holds.
 */
export function wrapJsonp(callback: string, json: string): string {
  if (!isCallbackName(callback)) throw new RangeError('the callback is not a name')
  return `${callback}(${json.replace(UNSAFE_IN_SCRIPT, unicodeEscape)})`
}
