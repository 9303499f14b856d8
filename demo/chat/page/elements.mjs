/** Creates elements. User input is always inserted as text. */

/**
 * @param {string} name
 * @param {Record<string, unknown>} [properties] Names with a dash, and `role`, are attributes.
 * @param {...(Node | string)} children
 */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes('-') || key === 'role') made.setAttribute(key, String(value))
    else made[key] = value
  }
  made.append(...children)
  return made
}

export const find = (id) => document.getElementById(id)

/** A name, isolated because its writing direction may differ from that of the text around it. */
export const nameOf = (name) => element('bdi', { className: 'name' }, name)

export function avatar(name) {
  const initials = [...name.replace(/[^\p{L}\p{N} ]/gu, '')].join('').trim().split(' ')
  const letters = initials.map(([first = ''] = '') => first).slice(0, 2)
  const shown = letters.join('').toUpperCase() || '•'
  return element(
    'span',
    { className: 'avatar', 'aria-hidden': true, 'data-hue': hueOf(name) },
    shown,
  )
}

const HUES = 8
const hueOf = (name) =>
  [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 997, 7) % HUES

export const COLOURS = { green: 'Available', amber: 'Away', red: 'Busy', violet: 'Focused' }

/** Has a text as well, for people who cannot see the colour. */
export function statusDot(colour) {
  const known = Object.hasOwn(COLOURS, colour) ? colour : 'green'
  const words = element('span', { className: 'unseen' }, COLOURS[known])
  return element('span', { className: 'dot', title: COLOURS[known], 'data-colour': known }, words)
}
