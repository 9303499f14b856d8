/** The sidebars: conversations and people. */
import { avatar, element, find, nameOf, statusDot } from './elements.mjs'

/** @param {(key: string) => void} open */
export function showPlaces(conversations, open) {
  const entry = (conversation) => placeEntry(conversations, conversation, open)
  replace(find('channels'), conversations.channels.map(entry))
  replace(find('directs'), conversations.directs.map(entry))
  find('no-directs').hidden = conversations.directs.length > 0
}

function placeEntry(conversations, { key, kind, name, unread }, open) {
  const mark =
    kind === 'channel'
      ? element('span', { className: 'hash', 'aria-hidden': true }, '#')
      : presenceMark(conversations.stateOf(name))
  const button = element(
    'button',
    { type: 'button', className: 'entry', 'data-key': key },
    mark,
    nameOf(name),
  )
  if (key === conversations.activeKey) button.setAttribute('aria-current', 'true')
  if (unread > 0) {
    const words = element('span', { className: 'unseen' }, ' unread')
    button.append(element('span', { className: 'count' }, String(Math.min(unread, 99)), words))
  }
  button.onclick = () => open(key)
  return element('li', {}, button)
}

const presenceMark = (state) =>
  state
    ? statusDot(state.colour)
    : element('span', { className: 'dot', title: 'Offline', 'data-colour': 'none' })

/** @param {(name: string) => void} talkTo */
export function showPeople(conversations, talkTo) {
  const { active, me } = conversations
  const users =
    active?.kind === 'direct' ? pairOf(conversations, active) : [...(active?.users ?? [])]
  users.sort(([one], [other]) => one.localeCompare(other))
  const rows = users.map(([name, state]) => personEntry(name, state, name === me, talkTo))
  replace(find('users'), rows)
  find('people-count').textContent = String(rows.length)
}

const pairOf = (conversations, { name }) =>
  [...new Set([name, conversations.me])].map((each) => [
    each,
    each === conversations.me ? conversations.profile : conversations.stateOf(each),
  ])

function personEntry(name, state, isMe, talkTo) {
  const words = element('span', { className: 'words' }, nameOf(name))
  if (isMe) words.append(element('span', { className: 'quiet' }, ' (you)'))
  const status = state ? String(state.status ?? '') : 'Offline'
  if (status) words.append(element('span', { className: 'status', dir: 'auto' }, status))
  const picture = element('span', { className: 'picture' }, avatar(name), presenceMark(state))
  if (isMe) return element('li', { className: 'person' }, picture, words)
  const button = element(
    'button',
    { type: 'button', className: 'entry person', 'data-user': name },
    picture,
    words,
  )
  button.append(element('span', { className: 'unseen' }, ' Send a private message'))
  button.onclick = () => talkTo(name)
  return element('li', {}, button)
}

export function showMe({ me, profile }) {
  const words = element('span', { className: 'words' }, nameOf(me))
  const status = profile.status || 'Set a status'
  words.append(element('span', { className: 'status', dir: 'auto' }, status))
  const picture = element('span', { className: 'picture' }, avatar(me), statusDot(profile.colour))
  const action = element('span', { className: 'unseen' }, ' Change your status')
  find('me').replaceChildren(picture, words, action)
}

/** Rebuilds a list, but keeps the focus on the same button. */
function replace(list, children) {
  const focused = list.contains(document.activeElement)
    ? document.activeElement?.dataset
    : undefined
  list.replaceChildren(...children)
  if (!focused || (!focused.key && !focused.user)) return
  const same = [...list.querySelectorAll('button')].find(
    ({ dataset }) => dataset.key === focused.key && dataset.user === focused.user,
  )
  same?.focus()
}
