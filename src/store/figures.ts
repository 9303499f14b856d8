/** The figures, a part of the contract of stores. */
import type { HistogramView } from '../lib/histogram.ts'

/** Data that the store's server evicts when its memory is full. */
export interface Eviction {
  /** Also false if the server does not report it. */
  readonly mayEvict: boolean
  /** Since the start of that server, including keys of other applications. */
  readonly evictedKeys: number
}

export interface DiskFigures {
  /** The size of its files. */
  readonly bytes: number
  /** Changes cannot be written, and are refused. */
  readonly isRefusing: boolean
}

export interface Figures {
  readonly users: number
  readonly connectedUsers: number
  readonly connections: number
  readonly channels: number
  /** Messages posted. */
  readonly messages: number
  /** The sum of each message's receiving connections. */
  readonly deliveries: number
  /** The last known values. Only for a store on a server of its own. */
  readonly eviction?: Eviction
  /** Only for a store on disk. */
  readonly disk?: DiskFigures
  /** From a publish on this server to the announcement of its event here. Only for a store that servers share. */
  readonly announceSeconds?: HistogramView
}
