/** Calls the page's backend. */

export class BackendError extends Error {
  /** @param {number} status 0: no response. @param {string} text */
  constructor(status, text) {
    super(text)
    this.status = status
  }
}

/** @param {string} action @param {object} [body] */
export async function ask(action, body = {}) {
  const request = { method: 'POST', body: JSON.stringify(body) }
  const answer = await fetch(`/chat/api/${action}`, request).catch(() => undefined)
  if (!answer) throw new BackendError(0, 'No response. Check your network connection.')
  const data = await answer.json().catch(() => ({ error: `Error ${answer.status}` }))
  if (!answer.ok) throw new BackendError(answer.status, data.error)
  return data
}
