/** A `cursor` as the server reads it; what is none it would refuse. */
const ID = /^([0-9A-Za-z]{1,32})-(0|[1-9]\d{0,15})$/

/**
 * Before the first event. No server has this epoch, so it answers with a `gap`, whose id is where the client now is:
 * without it, an event that is lost with the very first break of a network would not be missed.
 */
const NOWHERE = '0-0'

/** Where in the server's stream of events the client is. Remembers one id, however many events there were. */
export class Position {
  #cursor = NOWHERE
  #epoch = ''
  #n = -1
  #openings = 0

  /** The id of the last event, to be named when opening. */
  get cursor(): string {
    return this.#cursor
  }

  /** A transport has opened; from now on something may get lost on its way. */
  opened(): void {
    this.#openings++
  }

  /**
   * Whether the page should be told of an event, which it then counts as told. Not if it has been: events come in the
   * order of their ids, so what is not newer is a repetition. A gap may go back; the first one only says where we are.
   * What has no id that can be read, as from older servers, is always told.
   */
  admit({ type, id }: { readonly type: string; readonly id?: unknown }): boolean {
    const [text, epoch = '', n] = (typeof id === 'string' && ID.exec(id)) || []
    if (text === undefined) return true
    const isStart = this.#cursor === NOWHERE && this.#openings <= 1
    const isGap = type === 'gap'
    if (!isGap && epoch === this.#epoch && Number(n) <= this.#n) return false
    this.#cursor = text
    this.#epoch = epoch
    this.#n = Number(n)
    return !(isGap && isStart)
  }
}
