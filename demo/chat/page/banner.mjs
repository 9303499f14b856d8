/** Shows that the connection is lost, with a countdown to the next attempt. */
import { find } from './elements.mjs'

export class Banner {
  #timer = 0
  #wasConnected = false

  /** @param {{ status: string, retryInMs?: number, reason?: Error }} event A status of the client. */
  show({ status, retryInMs = 0 }) {
    clearInterval(this.#timer)
    find('countdown').textContent = ''
    this.#wasConnected ||= status === 'connected'
    find('banner').hidden =
      status === 'connected' || (status === 'connecting' && !this.#wasConnected)
    find('try-now').hidden = status === 'connecting'
    if (status === 'connecting') this.#say('Connecting…')
    if (status === 'disconnected') this.#say('This window is disconnected.')
    if (status === 'waiting') this.#countDown(performance.now() + retryInMs)
  }

  #say(text) {
    if (find('banner-text').textContent !== text) find('banner-text').textContent = text
  }

  /** Screen readers announce only the text, not each second. */
  #countDown(until) {
    this.#say('Connection lost. Messages you write are kept.')
    const tick = () => {
      const seconds = Math.max(0, Math.ceil((until - performance.now()) / 1000))
      find('countdown').textContent = `Next attempt in ${seconds} s.`
    }
    tick()
    this.#timer = setInterval(tick, 250)
  }
}
