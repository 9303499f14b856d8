/** Shows the messages of a conversation, and lets users edit their own. */
import { avatar, element, find, nameOf } from './elements.mjs'

const GROUP_MS = 5 * 60_000
const NEAR_END_PX = 80
const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
const day = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' })

export class MessageList {
  #log = find('log')
  #list = find('messages')
  /** @type {Map<string, { readonly item: HTMLElement, readonly shown: string }>} */
  #items = new Map()
  #shownKey = ''
  #editing = ''

  /**
   * @param {{ edit(uuid: string, text: string): Promise<boolean>, delete(uuid: string): void, retry(uuid: string):
   * void,
   *   discard(uuid: string): void, done(): void }} actions `edit` resolves with success.
   */
  constructor(actions) {
    this.actions = actions
  }

  show(conversation, me) {
    const isOther = this.#shownKey !== conversation.key
    if (isOther) this.#begin(conversation.key)
    const isAtEnd =
      this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < NEAR_END_PX
    const messages = conversation.ordered
    this.#place(messages.flatMap((message, at) => this.#rows(message, messages[at - 1], me)))
    find('empty').hidden = messages.length > 0
    find('empty').textContent = 'No messages yet.'
    if (isAtEnd || isOther) this.#log.scrollTop = this.#log.scrollHeight
    // Screen readers announce only messages that arrive from now on.
    requestAnimationFrame(() => this.#log.removeAttribute('aria-busy'))
  }

  clear() {
    this.#begin('')
    find('empty').hidden = false
    find('empty').textContent = 'Join a channel or start a private conversation.'
  }

  editLast(conversation, me) {
    const own = conversation.ordered.filter(({ user, state }) => user === me && state === 'sent')
    if (own.length > 0) this.#edit(own.at(-1))
  }

  #begin(key) {
    this.#log.setAttribute('aria-busy', 'true')
    this.#shownKey = key
    this.#editing = ''
    this.#items.clear()
    this.#list.replaceChildren()
  }

  /** Reuses existing elements in place, so that the focus on their buttons is kept. */
  #place(rows) {
    const wanted = new Set(rows)
    for (const item of [...this.#list.children]) if (!wanted.has(item)) this.#drop(item)
    rows.forEach((item, at) => {
      if (this.#list.children[at] !== item)
        this.#list.insertBefore(item, this.#list.children[at] ?? null)
    })
  }

  #drop(item) {
    if (item.contains(document.activeElement)) this.actions.done()
    item.remove()
  }

  #rows(message, before, me) {
    const at = new Date(message.at)
    const isNewDay = !before || day.format(new Date(before.at)) !== day.format(at)
    const follows = !isNewDay && before.user === message.user && at - new Date(before.at) < GROUP_MS
    const row = this.#item(message.uuid, JSON.stringify([message, follows]), () =>
      this.#message(message, follows, message.user === me),
    )
    if (!isNewDay) return [row]
    const name = day.format(at)
    return [
      this.#item(name, name, () => element('li', { className: 'day' }, element('span', {}, name))),
      row,
    ]
  }

  /** Returns the element for `key`. Creates a new one only if its content has changed. */
  #item(key, shown, make) {
    const known = this.#items.get(key)
    if (known && (known.shown === shown || key === this.#editing)) return known.item
    const item = make()
    if (known?.item.contains(document.activeElement)) this.actions.done()
    this.#items.set(key, { item, shown })
    return item
  }

  #message(message, follows, isOwn) {
    const { uuid, user, at, edited, state, text } = message
    const clock = element('time', { dateTime: at }, time.format(new Date(at)))
    const head = element('p', { className: 'head' }, nameOf(user), clock)
    const body = element('p', { className: 'text', dir: 'auto' }, text)
    if (edited) body.append(element('span', { className: 'edited' }, ' (edited)'))
    const content = element('div', { className: 'content' }, head, body)
    if (state === 'failed') content.append(this.#failure(message))
    if (isOwn && state === 'sent') content.append(this.#buttons(message))
    const className = ['message', follows && 'follows', isOwn && 'own', state]
      .filter(Boolean)
      .join(' ')
    return element('li', { className, 'data-uuid': uuid }, avatar(user), content)
  }

  #buttons(message) {
    const edit = element('button', { type: 'button' }, 'Edit')
    const remove = element('button', { type: 'button' }, 'Delete')
    edit.onclick = () => this.#edit(message)
    remove.onclick = () => {
      if (remove.textContent === 'Really?') this.actions.delete(message.uuid)
      remove.textContent = 'Really?'
    }
    remove.onblur = () => (remove.textContent = 'Delete')
    const label = `Your message “${message.text.slice(0, 40)}”`
    return element(
      'div',
      { className: 'actions', role: 'group', 'aria-label': label },
      edit,
      remove,
    )
  }

  #failure({ uuid, fault }) {
    const again = element('button', { type: 'button' }, 'Retry')
    const discard = element('button', { type: 'button' }, 'Discard')
    again.onclick = () => this.actions.retry(uuid)
    discard.onclick = () => this.actions.discard(uuid)
    return element(
      'p',
      { className: 'fault', role: 'alert' },
      `Not sent. ${fault} `,
      again,
      ' ',
      discard,
    )
  }

  #edit({ uuid, text }) {
    const item = this.#items.get(uuid)?.item
    const body = item?.querySelector('.text')
    if (!body) return
    this.#editing = uuid
    const field = element('textarea', {
      value: text,
      rows: 1,
      maxLength: 2000,
      'aria-label': 'Edit message',
    })
    const end = () => {
      if (this.#editing === uuid) this.#editing = ''
      this.#items.set(uuid, { item, shown: '' })
      this.actions.done()
    }
    // If saving fails, the text stays in the field.
    const save = async () => {
      const isChanged = field.value.trim() !== '' && field.value !== text
      if (!isChanged || (await this.actions.edit(uuid, field.value))) end()
    }
    field.onkeydown = (event) => {
      if (event.key === 'Escape') end()
      else if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) void save()
      else return
      event.preventDefault()
    }
    const button = (onclick, name) => element('button', { type: 'button', onclick }, name)
    const actions = [button(save, 'Save'), button(end, 'Cancel')]
    item.classList.add('editing')
    body.replaceChildren(field, element('span', { className: 'actions' }, ...actions))
    field.focus()
    field.setSelectionRange(text.length, text.length)
    item.scrollIntoView({ block: 'nearest' })
  }
}
