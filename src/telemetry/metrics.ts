import type { Registry } from 'prom-client'
import type { Traffic } from '../core/hub-options.ts'
import type { Cancel, Clock } from '../lib/clock.ts'
import type { SocketFigures } from '../net/socket-limits.ts'
import type { Figures } from '../store/store.ts'

/** The sources of the metrics. They are read only on a scrape, so that metrics cost nothing in between. */
export interface MetricsDeps {
  traffic(): Traffic
  /** Rejects if the store does not answer. */
  figures(): Promise<Figures>
  process(): ProcessFigures
  sockets(): SocketFigures
}

/** Problems in this process since its start. */
export interface ProcessFigures {
  readonly faults: number
  readonly droppedLines: number
}

export interface Exposition {
  readonly contentType: string
  readonly text: string
}

/** Scrapers time out after ten seconds by default. They would then miss the metrics of this process as well. */
const STORE_WAIT_MS = 2_000

/**
 * The metrics of this server in the Prometheus text format.
 *
 * `prom-client` is loaded on the first scrape: it takes more memory than the server's own code, and many servers are
 * never scraped.
 */
export class Metrics {
  #registries: Promise<Registries> | undefined
  #exposing: Promise<Exposition> | undefined

  constructor(
    private readonly deps: MetricsDeps,
    private readonly clock: Pick<Clock, 'after'>,
    private readonly onFault: (error: unknown) => void,
  ) {}

  /**
   * Asks the store once and waits at most two seconds for it. If the store does not answer, its metrics are left out,
   * so that old values do not pass for new ones. Overlapping scrapes share one answer.
   */
  expose(): Promise<Exposition> {
    return (this.#exposing ??= this.#expose().finally(() => (this.#exposing = undefined)))
  }

  async #expose(): Promise<Exposition> {
    const { server, store, metrics } = await (this.#registries ??= openRegistries())
    const figures = await this.#figures()
    const { deps } = this
    const scrape = {
      traffic: deps.traffic(),
      process: deps.process(),
      sockets: deps.sockets(),
      figures,
    }
    for (const { set, read } of metrics) set(read(scrape))
    const texts = [await server.metrics(), ...(figures ? [await store.metrics()] : [])]
    return { contentType: server.contentType, text: texts.join('') }
  }

  /** Undefined if the store does not answer in time. */
  async #figures(): Promise<Figures | undefined> {
    let cancel: Cancel | undefined
    const late = new Promise<undefined>((resolve) => {
      cancel = this.clock.after(STORE_WAIT_MS, () => resolve(undefined))
    })
    try {
      return await Promise.race([this.deps.figures(), late])
    } catch (error) {
      this.onFault(error)
      return undefined
    } finally {
      cancel?.()
    }
  }
}

/** Two registries, because a metric of `prom-client` without labels always has a value and cannot be left out. */
interface Registries {
  readonly server: Registry
  readonly store: Registry
  readonly metrics: readonly (Metric & { readonly set: (value: Value) => void })[]
}

async function openRegistries(): Promise<Registries> {
  const { Counter, Gauge, Registry, collectDefaultMetrics } = await import('prom-client')
  const [server, store] = [new Registry(), new Registry()]
  collectDefaultMetrics({ register: server })
  const metrics = METRICS.map((metric) => {
    const { name, help, type } = metric
    const registers = [metric.of === 'store' ? store : server]
    const settings = { name: `channelstream_${name}`, help, registers }
    if (type === 'gauge') {
      const gauge = new Gauge(settings)
      return { ...metric, set: (value: Value) => gauge.set(Number(value)) }
    }
    const { label } = metric
    const counter = new Counter({ ...settings, labelNames: label === undefined ? [] : [label] })
    const set = (value: Value): void => {
      counter.reset()
      if (label === undefined) counter.inc(Number(value))
      else
        for (const [name, part] of Object.entries<number>(value as Counts))
          counter.inc({ [label]: name }, part)
    }
    return { ...metric, set }
  })
  return { server, store, metrics }
}

/** The values of one scrape. */
interface Scrape {
  readonly traffic: Traffic
  readonly process: ProcessFigures
  readonly sockets: SocketFigures
  readonly figures: Figures | undefined
}

/** For a metric with a label: one number per label value. */
type Value = number | Counts
type Counts = Readonly<Record<string, number>>

interface Metric {
  readonly name: string
  readonly help: string
  readonly type: 'gauge' | 'counter'
  /** Metrics of the store are left out while it does not answer. */
  readonly of: 'server' | 'store'
  /** Counters only. */
  readonly label?: string
  readonly read: (scrape: Scrape) => Value
}

const ofTraffic = (key: keyof Traffic): Pick<Metric, 'of' | 'read'> => ({
  of: 'server',
  read: ({ traffic }) => traffic[key],
})

const ofStore = (key: Exclude<keyof Figures, 'eviction'>): Pick<Metric, 'of' | 'read'> => ({
  of: 'store',
  read: ({ figures }) => figures?.[key] ?? 0,
})

const ofProcess = (key: keyof ProcessFigures): Pick<Metric, 'of' | 'read'> => ({
  of: 'server',
  read: ({ process }) => process[key],
})

/** Documented in `docs/operations.md`. A test compares names and types. */
export const METRICS: readonly Metric[] = [
  {
    name: 'open_connections',
    help: 'Clients with an open WebSocket, event stream or poll on this server.',
    type: 'gauge',
    ...ofTraffic('connections'),
  },
  {
    name: 'guests',
    help: 'Subscribers on this server that are not users: Philote clients and the admin panel.',
    type: 'gauge',
    ...ofTraffic('guests'),
  },
  {
    name: 'held_bytes',
    help: 'Bytes that are queued for clients of this server that have not read them.',
    type: 'gauge',
    ...ofTraffic('heldBytes'),
  },
  {
    name: 'delivered_events_total',
    help: 'Events written to clients of this server, counted once for each client.',
    type: 'counter',
    ...ofTraffic('events'),
  },
  {
    name: 'delivered_batches_total',
    help: 'Writes used to deliver these events.',
    type: 'counter',
    ...ofTraffic('writes'),
  },
  {
    name: 'delivered_bytes_total',
    help: 'Bytes of these events as JSON, without transport framing.',
    type: 'counter',
    ...ofTraffic('bytes'),
  },
  {
    name: 'slow_readers_total',
    help: 'Slow consumers: clients of this server that were closed because too many bytes were queued for them.',
    type: 'counter',
    ...ofTraffic('slow'),
  },
  {
    name: 'store_up',
    help: '1 if the store answered. Otherwise 0, and the metrics of the store are left out.',
    type: 'gauge',
    of: 'server',
    read: ({ figures }) => (figures ? 1 : 0),
  },
  {
    name: 'store_evicts',
    help: '1 if the store evicts data when its memory is full (its maxmemory-policy is not noeviction), otherwise 0.',
    type: 'gauge',
    of: 'store',
    read: ({ figures }) => (figures?.eviction?.mayEvict ? 1 : 0),
  },
  {
    name: 'store_evicted_keys_total',
    help: 'Keys that Redis has evicted since its start, including keys of other applications.',
    type: 'counter',
    of: 'store',
    read: ({ figures }) => figures?.eviction?.evictedKeys ?? 0,
  },
  {
    name: 'users',
    help: 'Users known to the store, connected or not.',
    type: 'gauge',
    ...ofStore('users'),
  },
  {
    name: 'connected_users',
    help: 'Users with a connection, on any server.',
    type: 'gauge',
    ...ofStore('connectedUsers'),
  },
  {
    name: 'connections',
    help: 'Connections known to the store, with or without a client.',
    type: 'gauge',
    ...ofStore('connections'),
  },
  {
    name: 'channels',
    help: 'Channels known to the store.',
    type: 'gauge',
    ...ofStore('channels'),
  },
  {
    name: 'messages_total',
    help: 'Messages posted.',
    type: 'counter',
    ...ofStore('messages'),
  },
  {
    name: 'faults_total',
    help: 'Errors of this server that were not returned to a caller. Each is logged.',
    type: 'counter',
    ...ofProcess('faults'),
  },
  {
    name: 'log_dropped_total',
    help: 'Log lines of this server that were dropped because they could not be written.',
    type: 'counter',
    ...ofProcess('droppedLines'),
  },
  {
    name: 'open_sockets',
    help: 'Open sockets on the ports of this server, whatever they are used for.',
    type: 'gauge',
    of: 'server',
    read: ({ sockets }) => sockets.open,
  },
  {
    name: 'max_sockets',
    help: 'Maximum number of open sockets, from max_sockets and the limit of open files.',
    type: 'gauge',
    of: 'server',
    read: ({ sockets }) => sockets.most,
  },
  {
    name: 'refused_sockets_total',
    help: 'Refused sockets, by reason: total, open_files, address, rate.',
    type: 'counter',
    of: 'server',
    label: 'reason',
    read: ({ sockets }) => sockets.refused,
  },
  {
    name: 'out_of_files',
    help: '1 if no file descriptor is free, so that the system closes new sockets uncounted. Otherwise 0.',
    type: 'gauge',
    of: 'server',
    read: ({ sockets }) => (sockets.isOutOfFiles ? 1 : 0),
  },
]
