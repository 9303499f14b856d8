/** Dialogs: join a channel, set a status, keyboard shortcuts. The browser traps the focus and restores it. */
import { ask } from './backend.mjs'
import { COLOURS, element, find, nameOf, statusDot } from './elements.mjs'

export function prepareDialogs() {
  for (const dialog of document.querySelectorAll('dialog')) {
    // A click outside the dialog closes it, like Escape.
    dialog.onclick = (event) => {
      if (event.target === dialog) dialog.close()
    }
    for (const button of dialog.querySelectorAll('.close')) button.onclick = () => dialog.close()
  }
  find('keys-button').onclick = () => find('keys').showModal()
}

/** @param {(name: string) => Promise<void>} join Rejects with an error text for people. */
export function prepareJoining(conversations, join) {
  const [dialog, form, fault] = [find('join'), find('join-form'), find('join-fault')]
  const attempt = async (name) => {
    fault.textContent = ''
    try {
      await join(name)
      dialog.close()
    } catch (error) {
      fault.textContent = error.message
    }
  }
  const open = async () => {
    form.reset()
    fault.textContent = ''
    find('all-channels').replaceChildren()
    dialog.showModal()
    try {
      showChannels(await ask('channels'), conversations, attempt)
    } catch (error) {
      fault.textContent = error.message
    }
  }
  find('browse').onclick = open
  form.onsubmit = (event) => {
    event.preventDefault()
    void attempt(find('channel-name').value)
  }
  return open
}

function showChannels(channels, conversations, join) {
  const known = new Set(conversations.channels.map(({ name }) => name))
  const rows = channels.map(({ name, people }) => {
    const count = `${people} ${people === 1 ? 'person' : 'people'}${known.has(name) ? ' · joined' : ''}`
    const words = element(
      'span',
      { className: 'words' },
      nameOf(name),
      element('span', { className: 'status' }, count),
    )
    const hash = element('span', { className: 'hash', 'aria-hidden': true }, '#')
    const button = element('button', { type: 'button', className: 'entry' }, hash, words)
    button.onclick = () => void join(name)
    return element('li', {}, button)
  })
  find('all-channels').replaceChildren(...rows)
}

/** @param {(profile: { colour: string, status: string }) => Promise<void>} save */
export function prepareStatus(conversations, save) {
  const [dialog, form, fault] = [find('status'), find('status-form'), find('status-fault')]
  const choices = Object.entries(COLOURS).map(([value, words]) => {
    const radio = element('input', { type: 'radio', name: 'colour', value })
    const dot = statusDot(value)
    dot.replaceChildren()
    return element('label', { className: 'choice' }, radio, dot, words)
  })
  find('colours').append(...choices)
  find('me').onclick = () => {
    fault.textContent = ''
    form.elements.colour.value = conversations.profile.colour
    form.elements.status.value = conversations.profile.status
    dialog.showModal()
  }
  form.onsubmit = async (event) => {
    event.preventDefault()
    const { colour, status } = form.elements
    try {
      await save({ colour: colour.value, status: status.value.trim() })
      dialog.close()
    } catch (error) {
      fault.textContent = error.message
    }
  }
}
