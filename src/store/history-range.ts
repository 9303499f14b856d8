/** Which part of a history. */

/** Events with numbers above `after`, up to `through`. */
export interface NumberRange {
  readonly after: number
  readonly through: number
}

/** A part of a history. */
export interface HistoryRange {
  /** Only messages with larger numbers. */
  readonly after?: number | undefined
  /** Only messages with smaller numbers. */
  readonly before?: number | undefined
  /** Reads from the newest of them to older ones. */
  readonly isBackward: boolean
  readonly most: number
  /** The store may stop once it has messages of about this many bytes, but not before it has one. */
  readonly enough?: number
}
