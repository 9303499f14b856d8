export interface SessionTimes {
  readonly heartbeatIntervalMs: number
  /** A silent connection is closed after this time; one that polled is garbage collected. */
  readonly gcConnsMs: number
  /** How long a connection is kept after its stream broke off. */
  readonly resumeWindowMs: number
}
