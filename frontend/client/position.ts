/** A valid `cursor`. The server refuses any other. */
const ID = /^([0-9A-Za-z]{1,32})-(0|[1-9]\d{0,15})$/

/**
 * The cursor before the first event. No server has this epoch, so the server sends a `gap`, whose id becomes the
 * client's position. Without it, an event lost in the very first network failure would go unnoticed.
 */
const START = '0-0'

/** The client's position in the server's event stream. Remembers one id only. */
export class Position {
  #cursor = START
  #epoch = ''
  #n = -1
  #openings = 0

  /** The id of the last event, sent when a transport opens. */
  get cursor(): string {
    return this.#cursor
  }

  /** Call when a transport has opened: from then on, events may get lost in transit. */
  opened(): void {
    this.#openings++
  }

  /**
   * Advances to an event. Returns false if the page should not get it, because it is a duplicate: events come in the
   * order of their ids, so one that is not newer is a repetition. A gap may move the position back; the first gap only
   * sets the position and is not passed on. Events without a valid id, as from older servers, are always passed on.
   */
  advance({ type, id }: { readonly type: string; readonly id?: unknown }): boolean {
    const [text, epoch = '', n] = (typeof id === 'string' && ID.exec(id)) || []
    if (text === undefined) return true
    const isStart = this.#cursor === START && this.#openings <= 1
    const isGap = type === 'gap'
    if (!isGap && epoch === this.#epoch && Number(n) <= this.#n) return false
    this.#cursor = text
    this.#epoch = epoch
    this.#n = Number(n)
    return !(isGap && isStart)
  }
}
